package watch

import (
	"os"
	"slices"
	"testing"
	"time"

	"io"
	"log/slog"
)

// BenchmarkEvent measures the time from a change to its event, settling included.
func BenchmarkEvent(b *testing.B) {
	for name, opt := range map[string]Options{"fanotify": {}, "inotify": {Anonymous: true}} {
		b.Run(name, func(b *testing.B) { benchmarkEvent(b, opt) })
	}
}

func benchmarkEvent(b *testing.B, opt Options) {
	opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	w, err := Open(opt)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	dir := b.TempDir()
	var list []time.Duration
	for b.Loop() {
		path := dir + "/" + time.Now().Format("150405.000000000") // each has its own budget
		w.Watch([]Target{{Address: path, Paths: []string{path}}})
		began := time.Now()
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			b.Fatal(err)
		}
		<-w.Events()
		list = append(list, time.Since(began))
	}
	slices.Sort(list)
	for part, unit := range map[float64]string{0.5: "p50-ms", 0.99: "p99-ms", 1: "max-ms"} {
		b.ReportMetric(float64(list[min(len(list)-1, int(part*float64(len(list))))].Microseconds())/1000, unit)
	}
}

// BenchmarkWatch measures how long it takes to watch 10,000 files in 100 folders.
func BenchmarkWatch(b *testing.B) {
	dir := b.TempDir()
	var list []Target
	for i := range 10_000 {
		folder := dir + "/" + string(rune('a'+i%20)) + "/" + string(rune('a'+i/20%5))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			b.Fatal(err)
		}
		path := folder + "/" + time.Unix(int64(i), 0).Format("150405")
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			b.Fatal(err)
		}
		list = append(list, Target{Address: path, Paths: []string{path}})
	}
	for b.Loop() {
		w, err := Open(Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			b.Fatal(err)
		}
		w.Watch(list)
		_ = w.Close()
	}
}
