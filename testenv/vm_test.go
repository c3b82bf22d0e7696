package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

// vmVariable asks for the slow test on a virtual machine.
const vmVariable = "PLUMB_TESTENV_VM"

// vmPatience is how long anything may take on an emulated processor.
const vmPatience = 8 * time.Minute

// TestVirtualMachine runs each script of testdata/vm: what only a machine with a kernel of its
// own can show. It takes minutes, so it runs when it is asked for.
func TestVirtualMachine(t *testing.T) {
	if os.Getenv(vmVariable) == "" {
		t.Skip("needs " + vmVariable + "=1: it emulates a machine, which takes minutes")
	}
	cache := needCache(t)
	if why := testenv.MissingVM(cache); why != "" {
		t.Fatal(why)
	}
	newer, err := cache.NewerKernel()
	if err != nil {
		t.Fatal(err)
	}
	testscript.RunT(scriptT{t}, testscript.Params{
		Dir:                 filepath.Join("testdata", "vm"),
		Cmds:                commands(),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			err := newScene(env, cache, os.Getenv(productsVariable), "https")
			env.Values[sceneKey{}].(*scene).patience = vmPatience
			for _, deb := range newer {
				if name := filepath.Base(deb); strings.HasPrefix(name, "linux-image-cloud-amd64_") {
					env.Setenv("META", deb)
				} else {
					env.Setenv("KERNEL", deb)
				}
			}
			return err
		},
	})
}

// cmdVM is the virtual machine.
func cmdVM(ts *testscript.TestScript, neg bool, args []string) {
	s := sceneOf(ts)
	switch strings.Join(args[:min(1, len(args))], "") {
	case "boot":
		vm, err := s.world.BootVM(context.Background(), s.work)
		ts.Check(err)
		s.vm = vm
		ts.Check(s.toVM(filepath.Join(s.products, "plumb-agent"), "/usr/bin/plumb-agent"))
	case "daemon":
		ts.Check(s.daemonOnVM())
	case "apt":
		repository, err := s.serveApt()
		ts.Check(err)
		ts.Check(s.toVM(filepath.Join(repository.Served(), "key.gpg"), "/etc/apt/keyrings/testenv.gpg"))
		ts.Check(s.onVM("echo 'deb [signed-by=/etc/apt/keyrings/testenv.gpg] http://" + testenv.ServerAddress + ":8000/ " + args[1] + " main' " +
			">/etc/apt/sources.list.d/testenv.list && apt-get update --error-on=any"))
	default:
		program("vm")(ts, neg, args)
	}
}

// inVM is `vm run COMMAND...`.
func (s *scene) inVM(args []string) (*exec.Cmd, error) {
	if s.vm == nil || len(args) < 2 || args[0] != "run" {
		return nil, errors.New("usage: vm boot | vm apt SUITE | vm daemon | vm run COMMAND")
	}
	return s.vm.Command(context.Background(), strings.Join(args[1:], " ")), nil
}

func (s *scene) onVM(shell string) error {
	if out, err := s.vm.Command(context.Background(), shell).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run %q on the VM: %w: %s", shell, err, out)
	}
	return nil
}

func (s *scene) toVM(from, to string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	return s.vm.Write(context.Background(), to, file, 0o755)
}

// daemonOnVM enrols the VM and lets the agent run there as a service.
func (s *scene) daemonOnVM() error {
	token, err := s.output("token", "create")
	if err != nil {
		return err
	}
	if err := s.onVM("plumb-agent enroll --install " + token + " && mkdir -p /etc/systemd/system/plumb-agent.service.d"); err != nil {
		return err
	}
	if err := s.vm.Write(context.Background(), "/etc/systemd/system/plumb-agent.service.d/often.conf", strings.NewReader(often), 0o644); err != nil {
		return err
	}
	return s.onVM("systemctl daemon-reload && systemctl enable --now plumb-agent")
}
