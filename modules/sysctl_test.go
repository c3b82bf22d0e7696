package modules

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"plumb/modules/system"
)

const forwardFile = "proc/sys/net/ipv4/ip_forward"

func sysctlSamples() map[string]sample {
	now := func(value string) map[string]string { return map[string]string{forwardFile: value} }
	booted := func(value, file, text string) map[string]string {
		return map[string]string{forwardFile: value, file: text}
	}
	const want = `{"key": "net.ipv4.ip_forward", "value": "0"`
	return map[string]sample{
		"not set":        {attributes: want + `}`, files: now("1\n")},
		"only at boot":   {attributes: want + `}`, files: booted("0\n", "usr/lib/sysctl.d/1.conf", "net.ipv4.ip_forward=1\n")},
		"only now":       {attributes: want + `}`, files: booted("1\n", "etc/sysctl.d/1.conf", "net/ipv4/ip_forward = 0\n")},
		"all fine":       {attributes: want + `}`, files: booted("0\n", "etc/sysctl.conf", "-net.ipv4.ip_forward = 0\n"), fine: true},
		"not at boot":    {attributes: want + `, "persist": false}`, files: now("1\n")},
		"not at boot ok": {attributes: want + `, "persist": false}`, files: now("0\n"), fine: true},
		"own file":       {attributes: want + `, "file": "/etc/sysctl.conf"}`, files: booted("1\n", "etc/sysctl.conf", "# mine\nnet.ipv4.ip_forward=1\nvm.swappiness=1")},
		"one of":         {attributes: `{"key": "net.ipv4.ip_forward", "one_of": ["1", "2"]}`, files: now("0\n")},
		"one of, second": {attributes: `{"key": "net.ipv4.ip_forward", "one_of": ["1", "2"], "persist": false}`, files: now("2\n"), fine: true},
		"tabs":           {attributes: `{"key": "net.ipv4.ip_forward", "value": "1 2  3", "persist": false}`, files: now("1\t2\t3\n"), fine: true},
		"image":          {attributes: want + `}`, files: map[string]string{"etc": "dir"}},
		"image, live":    {attributes: want + `, "persist": false}`, wantErr: ErrUnknown},
		"unsupported":    {attributes: `{"key": "kernel.no_such_plumb", "value": "1", "ignore_unsupported": true}`, live: true, fine: true},
		"this host":      {attributes: `{"key": "kernel.ostype", "value": "Linux", "persist": false}`, live: true, fine: true},
	}
}

func sysctlMistakes() map[string]wrong {
	return map[string]wrong{
		"no key":         {`{"value": "1"}`, "key"},
		"climbing key":   {`{"key": "net/../../etc/passwd", "value": "1"}`, "key"},
		"absolute key":   {`{"key": "/proc/sys/vm/swappiness", "value": "1"}`, "key"},
		"pattern":        {`{"key": "net.ipv4.conf.*.rp_filter", "value": "1"}`, "key"},
		"no value":       {`{"key": "vm.swappiness"}`, "value"},
		"two lines":      {`{"key": "vm.swappiness", "value": "1\nkernel.x=1"}`, "value"},
		"not one of":     {`{"key": "vm.swappiness", "value": "1", "one_of": ["2"]}`, "one_of"},
		"relative file":  {`{"key": "vm.swappiness", "value": "1", "file": "x.conf"}`, "file"},
		"words with gap": {`{"key": "vm swappiness", "value": "1"}`, "key"},
	}
}

func TestPersistedSysctl(t *testing.T) {
	const key = "net/ipv4/conf/all/rp_filter"
	cases := map[string]struct {
		files map[string]string
		want  string
	}{
		"nowhere": {nil, "not set in any file"},
		"later name wins": {map[string]string{"usr/lib/sysctl.d/90-a.conf": "net.ipv4.conf.all.rp_filter=1", "etc/sysctl.d/10-b.conf": "net.ipv4.conf.all.rp_filter=2"},
			"1 by /usr/lib/sysctl.d/90-a.conf line 1"},
		"same name hides": {map[string]string{"usr/lib/sysctl.d/90-a.conf": "net.ipv4.conf.all.rp_filter=1", "etc/sysctl.d/90-a.conf": "# empty"},
			"not set in any file"},
		"null hides": {map[string]string{"usr/lib/sysctl.d/90-a.conf": "net.ipv4.conf.all.rp_filter=1", "etc/sysctl.d/90-a.conf": "-> /dev/null"},
			"not set in any file"},
		"sysctl.conf is last": {map[string]string{"etc/sysctl.d/99-z.conf": "net.ipv4.conf.all.rp_filter=1", "etc/sysctl.conf": "\n\nnet/ipv4/conf/all/rp_filter = 2 "},
			"2 by /etc/sysctl.conf line 3"},
		"pattern":            {map[string]string{"etc/sysctl.d/1.conf": "net.ipv4.conf.*.rp_filter=2"}, "2 by /etc/sysctl.d/1.conf line 1"},
		"name beats pattern": {map[string]string{"etc/sysctl.d/1.conf": "net.ipv4.conf.all.rp_filter=1\nnet.ipv4.conf.*.rp_filter=2"}, "1 by /etc/sysctl.d/1.conf line 1"},
		"last line":          {map[string]string{"etc/sysctl.d/1.conf": "net.ipv4.conf.all.rp_filter=1\nnet.ipv4.conf.all.rp_filter=0"}, "0 by /etc/sysctl.d/1.conf line 2"},
		"comments":           {map[string]string{"etc/sysctl.d/1.conf": "#net.ipv4.conf.all.rp_filter=1\n; net.ipv4.conf.all.rp_filter=1\nnonsense\n=1"}, "not set in any file"},
		"other ending":       {map[string]string{"etc/sysctl.d/1.cfg": "net.ipv4.conf.all.rp_filter=1"}, "not set in any file"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"dev/null": "dir", "etc": "dir"}
			for name, text := range c.files {
				files[name] = text
			}
			sys := &system.System{Root: placeFiles(t, files)}
			got, err := persistedSysctl(sys.Files(), key)
			if err != nil || got.String() != c.want {
				t.Errorf("persistedSysctl = %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestSysctlNamesWhatOverridesIt(t *testing.T) {
	sys, root := sample{files: map[string]string{forwardFile: "1\n", "etc/sysctl.d/99-admin.conf": "\nnet.ipv4.ip_forward = 1\n"}}.build(t)
	r := sample{attributes: `{"key": "net.ipv4.ip_forward", "value": "0"}`}.resource(t, sysctlKind(), root).(*Sysctl)
	changes, err := r.Check(context.Background(), sys)
	if err != nil || len(changes) != 2 {
		t.Fatalf("Check = %v, %v, want value and persist", changes, err)
	}
	err = r.Apply(context.Background(), sys, changes)
	if err == nil || !strings.Contains(err.Error(), "1 by /etc/sysctl.d/99-admin.conf line 2") {
		t.Errorf("Apply = %v, want the line that wins", err)
	}
}

func TestSysctlRefusedByTheKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: writes to /proc/sys")
	}
	s := &Sysctl{Key: "kernel.ostype", Value: "Plumb"} // read-only for everybody
	err := s.set(&system.System{Root: "/"})
	if err == nil || !strings.Contains(err.Error(), "kernel.ostype") {
		t.Errorf("set = %v, want an error that names the key", err)
	}
}

// In a network namespace of its own, the kernel's real settings can be tried.
func TestSysctlOfARealKernel(t *testing.T) {
	ended := make(chan string)
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and never unlock: the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			ended <- "needs root: " + err.Error()
			return
		}
		s := &Sysctl{Key: "net.ipv4.conf.all.log_martians", Value: "1"}
		sys := &system.System{Root: "/"}
		changes, err := s.Check(context.Background(), sys)
		if err == nil {
			err = s.Apply(context.Background(), sys, changes)
		}
		if left, again := s.Check(context.Background(), sys); err != nil || again != nil || len(changes) != 1 || len(left) != 0 {
			t.Errorf("Check, Apply, Check = %v, %v, then %v, %v, want one change and then none", changes, err, left, again)
		}
	}()
	if reason, ok := <-ended; ok {
		t.Skip(reason)
	}
}

func TestWithSetting(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"empty":        {"", "vm.swappiness = 5\n"},
		"append":       {"a=1", "a=1\nvm.swappiness = 5\n"},
		"replace":      {"a=1\nvm.swappiness=1\n# end\n", "a=1\nvm.swappiness = 5\n# end\n"},
		"other way":    {"vm/swappiness=1\n", "vm.swappiness = 5\n"},
		"keep one":     {"vm.swappiness=1\nx=1\nvm.swappiness=2\n", "x=1\nvm.swappiness = 5\n"},
		"not comments": {"#vm.swappiness=1\n", "#vm.swappiness=1\nvm.swappiness = 5\n"},
	}
	for name, c := range cases {
		if got := withSetting(c.text, "vm.swappiness", "5"); got != c.want {
			t.Errorf("%s: withSetting = %q, want %q", name, got, c.want)
		}
	}
}

func TestSysctlPath(t *testing.T) {
	cases := map[string]string{
		"vm.swappiness": "vm/swappiness", "net/ipv4/conf/eth0.100/rp_filter": "net/ipv4/conf/eth0.100/rp_filter",
		"net.ipv4.conf.eth0/100.rp_filter": "net/ipv4/conf/eth0.100/rp_filter", "plain": "plain",
	}
	for key, want := range cases {
		if got := sysctlPath(key); got != want {
			t.Errorf("sysctlPath(%s) = %s, want %s", key, got, want)
		}
	}
}

func FuzzParseSysctl(f *testing.F) {
	for _, seed := range []string{"a.b = 1\n", "-a/b=2", "# x\n; y\n", "net.ipv4.conf.*.rp_filter=1\n-net.x\n", "=\n", "a=b=c\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range parseSysctl(text) {
			if s.key == "" || strings.ContainsAny(s.key+s.value, "\n") || s.line < 1 {
				t.Errorf("parseSysctl(%q) has %+v", text, s)
			}
			_, _ = path.Match(s.key, "net/ipv4/conf/all/rp_filter")
		}
		list := parseSysctl(withSetting(text, "plumb.key", "7"))
		found := 0
		for _, s := range list {
			if s.key == "plumb/key" {
				found++
				if s.value != "7" {
					t.Errorf("withSetting(%q) left the value %q", text, s.value)
				}
			}
		}
		if found != 1 {
			t.Errorf("withSetting(%q) sets the key %d times", text, found)
		}
	})
}

func TestSysctlWritesItsOwnFile(t *testing.T) {
	sys, root := sample{files: map[string]string{forwardFile: "1\n"}}.build(t)
	r := sample{attributes: `{"key": "net.ipv4.ip_forward", "value": "0"}`}.resource(t, sysctlKind(), root).(*Sysctl)
	changes, err := r.Check(context.Background(), sys)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(context.Background(), sys, changes); err != nil {
		t.Fatal(err)
	}
	want := "# Kept by Plumb.\nnet.ipv4.ip_forward = 0\n"
	raw, err := os.ReadFile(filepath.Join(root, "etc/sysctl.d/60-plumb-net.ipv4.ip_forward.conf"))
	if err != nil || string(raw) != want {
		t.Errorf("the file holds %q, %v, want %q", raw, err, want)
	}
}
