package testenv_test

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"plumb/testenv"
)

// The environment of the tests. Required turns "cannot run here" into a failure, for CI; the
// other two are how the program outside tells the one inside about the products.
const (
	requiredVariable = "PLUMB_TESTENV_REQUIRED"
	productsVariable = "PLUMB_TESTENV_PRODUCTS"
	failureVariable  = "PLUMB_TESTENV_FAILURE"
)

// TestMain runs the tests inside of new namespaces when this machine is ready for that, and
// otherwise here, where those that need a world say why they cannot.
func TestMain(m *testing.M) {
	cache, err := testenv.DefaultCache()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if testenv.Inside() || testenv.Missing(cache) != "" {
		waitTogether()
		os.Exit(m.Run())
	}
	code, err := enter(cache)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// waitTogether lets more scenarios run at a time than there are processors, for they wait most of
// the time. Whoever says -parallel has the last word.
func waitTogether() {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.NumCPU()))
	}
}

// enter builds the products first, because there is no network inside to load modules from. When
// the variable names a folder already, the programs in it are tested.
func enter(cache testenv.Cache) (int, error) {
	if os.Getenv(productsVariable) != "" {
		return testenv.Enter(cache)
	}
	products, err := os.MkdirTemp("", "plumb-products-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(products)
	env := []string{productsVariable + "=" + products}
	for _, args := range [][]string{
		{"build", "-o", products, "../cmd/plumb", "../cmd/plumb-agent", "./cmd/tamper"},
		{"test", "-c", "-o", products, "../modules/system", "../agent/watch"}, // those that need a host of their own run on one
	} {
		build := exec.Command("go", args...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			env = append(env, fmt.Sprintf("%s=%v: %s", failureVariable, err, out))
		}
	}
	return testenv.Enter(cache, env...)
}

// needCache skips a test that cannot run on this machine, saying why.
func needCache(t *testing.T) testenv.Cache {
	t.Helper()
	cache, err := testenv.DefaultCache()
	if err != nil {
		t.Fatal(err)
	}
	if why := testenv.Missing(cache); why != "" && os.Getenv(requiredVariable) == "" {
		t.Skip(why)
	} else if why != "" {
		t.Fatal(why)
	}
	return cache
}

// worldName is short, because names of network links are, and always the same for a test.
func worldName(test string) string {
	sum := fnv.New32a()
	sum.Write([]byte(test))
	return fmt.Sprintf("w%06x", sum.Sum32()&0xffffff)
}
