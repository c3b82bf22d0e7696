// Package watch tells within a moment which of the resources that a host manages may have been
// changed by somebody else.
//
// It only ever says "look at this one": an event may be spurious, and a Check decides. What the
// kernel cannot tell (settings below /proc, a file that is written through a mapping and never
// closed) is found by the next periodic run, as is what happened before Watch was called.
package watch

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options says how to watch.
type Options struct {
	// Log takes what an administrator should know.
	Log *slog.Logger
	// Own is the process whose changes are nobody's drift, usually os.Getpid(); 0 is none. The same
	// goes for what it started, such as dpkg. Where the kernel does not name the writer, or where that
	// is gone before it was asked for, an own change costs one Check more.
	Own int
	// Root is the root folder of the host; empty means "/".
	Root string
	// Anonymous does without fanotify, so nobody is named.
	Anonymous bool
}

// Event says which resources may have drifted.
type Event struct {
	// At is when the first of the changes was seen.
	At time.Time
	// Drifts has one entry an address, in order.
	Drifts []Drift
	// Lost is true when the kernel dropped events; Drifts then holds every address.
	Lost bool
}

// Drift is one resource that may have drifted.
type Drift struct {
	Address string
	// Path is what was touched last.
	Path string
	// By is who touched it, as far as the kernel told.
	By Writer
}

// Addresses lists the addresses of an event.
func (e Event) Addresses() []string {
	var list []string
	for _, d := range e.Drifts {
		list = append(list, d.Address)
	}
	return list
}

// Watcher watches. Its methods may be called from any goroutine.
type Watcher struct {
	opt    Options
	mounts *mounts
	stop   int // an eventfd that ends the loop
	closed chan struct{}
	poke   chan struct{}
	events chan Event
	done   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	index   *index
	targets map[string]*target
	pending pending
	lost    bool
	// invoked is where the links of units lead that run, by path.
	invoked map[string]string
}

// Open starts a watcher that has nothing to watch yet. The error means that this kernel lets
// nothing be watched at all.
func Open(opt Options) (*Watcher, error) {
	sources, err := openSources(opt)
	if err != nil {
		return nil, err
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		sources.close()
		return nil, fmt.Errorf("cannot make an eventfd: %w", err)
	}
	w := &Watcher{opt: opt, stop: stop, mounts: openMounts(), closed: make(chan struct{}), poke: make(chan struct{}, 1),
		events: make(chan Event), index: newIndex(sources), targets: map[string]*target{}, pending: newPending(), invoked: map[string]string{}}
	w.done.Add(2)
	go w.listen()
	go w.deliver()
	return w, nil
}

// Events is where events come from; it is closed by Close. While nobody receives, they are
// gathered, and an address comes once.
func (w *Watcher) Events() <-chan Event { return w.events }

// Close ends the watching.
func (w *Watcher) Close() error {
	close(w.closed)
	_, err := unix.Write(w.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	w.done.Wait()
	close(w.events)
	w.index.sources.close()
	w.mounts.close()
	return errors.Join(err, unix.Close(w.stop))
}

// Watch replaces what is watched. It tells nothing of what happened before.
func (w *Watcher) Watch(list []Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.targets
	w.targets = make(map[string]*target, len(list))
	var all []*target
	for _, one := range list {
		t := &target{Target: one, root: w.opt.Root}
		if was := old[one.Address]; was != nil {
			t.spots = was.spots // so that what stays is never unwatched
			w.index.rename(was, t)
		}
		delete(old, one.Address)
		w.targets[one.Address] = t
		all = append(all, t)
		for _, unit := range one.Units {
			path := t.below(invocations + unit)
			w.invoked[path], _ = os.Readlink(path)
		}
	}
	for address, gone := range old {
		w.index.drop(gone)
		w.pending.forget(address)
	}
	w.resolve(all)
}

// resolve finds out anew which folders to watch for the targets.
func (w *Watcher) resolve(list []*target) {
	for _, b := range w.index.resolve(list) {
		w.opt.Log.Warn("a folder cannot be watched, so drift below it is found by periodic runs only", "folder", b.folder, "error", b.err)
	}
}

// Blind lists the addresses that periodic runs alone look after, in part or as a whole.
func (w *Watcher) Blind() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for address, t := range w.targets {
		if t.blind {
			list = append(list, address)
		}
	}
	slices.Sort(list)
	return list
}

// Short tells whether the kernel refused a watch, so that it is worth to try again later.
func (w *Watcher) Short() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.index.blind) > 0
}

// listen reads what the kernel says until Close.
func (w *Watcher) listen() {
	defer w.done.Done()
	fds := []unix.PollFd{{Fd: int32(w.stop), Events: unix.POLLIN}, {}}
	for _, s := range w.index.sources {
		fds = append(fds, unix.PollFd{Fd: int32(s.fd()), Events: unix.POLLIN})
	}
	buf := make([]byte, 1<<16)
	for {
		var wait int
		fds[1], wait = w.mounts.poll(time.Now())
		if _, err := unix.Poll(fds, wait); err != nil && !errors.Is(err, unix.EINTR) {
			w.opt.Log.Error("watching has ended, so drift is found by periodic runs only", "error", err)
			return
		}
		if fds[0].Revents != 0 {
			return
		}
		now := time.Now()
		for i, s := range w.index.sources {
			if fds[i+2].Revents != 0 {
				w.read(s, buf, now)
			}
		}
		if fds[1].Revents != 0 {
			w.remounted(now)
		}
	}
}

func (w *Watcher) read(s source, buf []byte, now time.Time) {
	n, err := unix.Read(s.fd(), buf)
	if err != nil || n <= 0 {
		return
	}
	w.take(s.parse(buf[:n]), now)
}

// take notes what the kernel said. Folders that are new are watched before anybody is told, so
// that nothing happens in them between the look and the watch.
func (w *Watcher) take(list []notice, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	moved := map[*target]bool{}
	who, ours := map[int]Writer{}, map[int]bool{}
	for _, n := range list {
		if n.what&lost != 0 {
			w.overflow(now)
			continue
		}
		for _, h := range w.index.hit(n) {
			if h.moved {
				moved[h.target] = true
			}
			if _, ok := who[n.pid]; !ok {
				who[n.pid], ours[n.pid] = writerOf(n.pid), descends(n.pid, w.opt.Own)
			}
			if ours[n.pid] || w.runsOn(h.path) {
				continue
			}
			w.note(Drift{Address: h.target.Address, Path: h.path, By: who[n.pid]}, now)
		}
	}
	w.resolve(keys(moved))
}

// runsOn tells whether a path is the link of a unit that is the same as before. systemd makes the
// links of all units anew whenever it reads its files, and nothing happened to them.
func (w *Watcher) runsOn(path string) bool {
	before, ok := w.invoked[path]
	if !ok {
		return false
	}
	w.invoked[path], _ = os.Readlink(path)
	return w.invoked[path] == before
}

// overflow makes everything suspect.
func (w *Watcher) overflow(now time.Time) {
	w.opt.Log.Warn("the kernel dropped events, so every watched resource is looked at")
	w.lost = true
	all := map[*target]bool{}
	for address, t := range w.targets {
		all[t] = true
		w.pending.force(address, now)
	}
	w.wake()
	w.resolve(keys(all))
}

// remounted looks for targets at and below the places where something was mounted or unmounted.
func (w *Watcher) remounted(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mounts.again = now.Add(mountPause)
	changed := w.mounts.changed()
	if len(changed) == 0 {
		return
	}
	touched := w.index.below(changed)
	for t, path := range touched {
		w.note(Drift{Address: t.Address, Path: path}, now)
	}
	var list []*target
	for t := range touched {
		list = append(list, t)
	}
	w.resolve(list)
}

func (w *Watcher) note(d Drift, now time.Time) {
	if w.pending.note(d, now) {
		w.wake()
	}
}

func (w *Watcher) wake() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

// deliver hands events out when they have settled.
func (w *Watcher) deliver() {
	defer w.done.Done()
	for {
		event, pause := w.due(time.Now())
		if len(event.Drifts) > 0 {
			select {
			case w.events <- event:
				continue
			case <-w.closed:
				return
			}
		}
		if !w.rest(pause) {
			return
		}
	}
}

// rest waits until something is due, or without bound when nothing is pending.
func (w *Watcher) rest(pause time.Duration) bool {
	var wake <-chan time.Time
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		wake = timer.C
	}
	select {
	case <-w.closed:
		return false
	case <-w.poke:
	case <-wake:
	}
	return true
}

func (w *Watcher) due(now time.Time) (Event, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	event, pause := w.pending.due(now)
	if len(event.Drifts) > 0 {
		event.Lost, w.lost = w.lost, false
	}
	return event, pause
}

func keys(set map[*target]bool) []*target {
	var list []*target
	for t := range set {
		list = append(list, t)
	}
	return list
}
