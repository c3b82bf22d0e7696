package testenv_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

// TestScenarios runs each script of testdata in a world of its own, over each transport.
// Scripts are what people do, in the words of commands_test.go.
func TestScenarios(t *testing.T) {
	cache := needCache(t)
	if testing.Short() {
		t.Skip("needs minutes: run it without -short")
	}
	if why := os.Getenv(failureVariable); why != "" {
		t.Fatalf("cannot build the products: %s", why)
	}
	products := os.Getenv(productsVariable)
	for _, transport := range []string{"https", "ssh"} {
		t.Run(transport, func(t *testing.T) {
			testscript.RunT(scriptT{t}, testscript.Params{
				Dir:                 "testdata",
				Cmds:                commands(),
				RequireUniqueNames:  true,
				RequireExplicitExec: true,
				Condition: func(cond string) (bool, error) {
					return cond == transport || cond == "rpm" && hasRPM(cache) || cond == "soak" && soakIndex() == 1, nil
				},
				Setup: func(env *testscript.Env) error {
					return newScene(env, cache, products, transport)
				},
			})
		})
	}
}

// scriptT lets a scene see whether its script failed.
type scriptT struct{ *testing.T }

func (t scriptT) Run(name string, run func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { run(scriptT{t}) })
}

func (t scriptT) Verbose() bool { return testing.Verbose() }

// hasRPM tells whether hosts of dnf and zypper can start, or have to.
func hasRPM(cache testenv.Cache) bool {
	return os.Getenv(requiredVariable) != "" || testenv.MissingFlavour(cache, testenv.Dnf) == "" && testenv.MissingFlavour(cache, testenv.Zypper) == ""
}
