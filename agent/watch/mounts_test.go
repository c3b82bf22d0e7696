package watch

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestStormOfMounts mounts as a host with many containers does: the table is looked at once a pause, and what
// is mounted over a watched path last is seen.
func TestStormOfMounts(t *testing.T) {
	if os.Getenv(apartVariable) == "" {
		again(t, privateMounts())
		return
	}
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/container", 0o755))
	put(t, dir+"/conf", "1")
	put(t, dir+"/other", "2")
	w := open(t, Options{Log: slog.New(slog.DiscardHandler)})
	w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/conf"}}})
	began, before := time.Now(), looks(w)
	for range 500 {
		if err := unix.Mount("tmpfs", dir+"/container", "tmpfs", 0, ""); err != nil {
			t.Skip("needs to mount: the kernel answers", err)
		}
		must(t, unix.Unmount(dir+"/container", 0))
	}
	must(t, unix.Mount(dir+"/other", dir+"/conf", "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(dir+"/conf", 0)) })
	expect(t, w, "file.conf")
	n, most := looks(w)-before, 2+int(time.Since(began)/mountPause)
	if n > most {
		t.Errorf("1,001 changes were looked at %d times, want %d at most", n, most)
	}
	t.Logf("%d times", n)
}

func looks(w *Watcher) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mounts.looks
}

// TestPauseBetweenLooks goes through the times at which the kernel is asked.
func TestPauseBetweenLooks(t *testing.T) {
	now := time.Now()
	m := &mounts{table: 7, again: now.Add(mountPause)}
	if fd, wait := m.poll(now); fd.Fd >= 0 || wait < int(mountPause.Milliseconds()) {
		t.Errorf("poll() = %+v, %d after a look, want nothing for the whole pause", fd, wait)
	}
	if fd, wait := m.poll(now.Add(mountPause)); fd.Fd != 7 || wait >= 0 {
		t.Errorf("poll() = %+v, %d after the pause, want the table without an end", fd, wait)
	}
}

// TestBelow compares with a look at each name.
func TestBelow(t *testing.T) {
	ix := newIndex(nil)
	targets := map[string]*target{}
	for _, path := range []string{"/etc/a/conf", "/etc/ab", "/etc/a/" + everything, "/conf", "/etc/" + starters, "/srv/x/y/z"} {
		targets[path] = &target{}
		folder, name := filepath.Split(strings.TrimSuffix(path, "/"))
		if strings.HasSuffix(path, "/") {
			name += "/"
		}
		folder = filepath.Clean(folder)
		if ix.places[folder] == nil {
			ix.places[folder] = &place{names: map[string]map[*target]bool{}}
		}
		ix.places[folder].names[name] = map[*target]bool{targets[path]: true}
	}
	cases := map[string][]string{
		"/":           slices.Sorted(maps.Keys(targets)),
		"/etc":        {"/etc/" + starters, "/etc/a/" + everything, "/etc/a/conf", "/etc/ab"},
		"/etc/a":      {"/etc/a/" + everything, "/etc/a/conf"},
		"/etc/a/conf": {"/etc/a/conf"},
		"/srv/x/y":    {"/srv/x/y/z"},
		"/srv/x/y/zz": nil,
		"/et":         nil,
	}
	for path, want := range cases {
		var got []string
		found := ix.below([]string{path})
		for name, one := range targets {
			if _, ok := found[one]; ok {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("below(%s) (-want +got):\n%s", path, diff)
		}
	}
}

// BenchmarkStorm tells what 500 mounts and unmounts by others cost a watcher of 10,000 files, beside 200 mounts that
// stay. It wants a mount namespace of its own: unshare -m go test ./agent/watch -run '^$' -bench Storm -benchtime 3x
func BenchmarkStorm(b *testing.B) {
	dir := b.TempDir()
	w, err := Open(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	var list []Target
	for i := range 10_000 {
		folder := fmt.Sprintf("%s/%d", dir, i%200)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			b.Fatal(err)
		}
		list = append(list, Target{Address: fmt.Sprint(i), Paths: []string{fmt.Sprintf("%s/%d", folder, i)}})
	}
	w.Watch(list)
	script := func(text string) {
		if out, err := exec.Command("sh", "-c", "cd "+dir+" && "+text).CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	script("mkdir c && for i in $(seq 200); do mkdir c/$i && mount -t tmpfs none c/$i; done")
	defer script("umount c/* && sleep 1")
	var before, after unix.Rusage
	for b.Loop() {
		_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
		script("for i in $(seq 500); do mount -t tmpfs none c && umount c; done")
		_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	}
	b.ReportMetric(float64(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano())/1e6, "cpu-ms")
}
