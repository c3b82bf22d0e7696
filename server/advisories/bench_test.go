package advisories

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// tracker makes a file of the size and the shape of the Debian tracker's: 3,500 source packages,
// 45,000 pairs of a package and a CVE, five releases each, with the versions of their repositories.
func tracker() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for p := range 3_500 {
		if p > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"source%d":{`, p)
		for n := range 13 {
			if n > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"CVE-%d-%d":{"description":%q,"debianbug":%d,"scope":"local","releases":{`, 2005+n, 10_000+p*13+n,
				"A flaw was found in the way that source handles the lengths in headers of foreign files, by which whoever sends one can crash it or read beyond its end.", 900_000+p)
			for i, release := range []string{"bookworm", "bullseye", "forky", "sid", "trixie"} {
				if i > 0 {
					b.WriteByte(',')
				}
				fmt.Fprintf(&b, `%q:{"status":"resolved","repositories":{%q:"1.%d-1","%s-security":"1.%d-1+deb12u%d"},"fixed_version":"1.%d-1+deb12u%d","urgency":"not yet assigned"}`,
					release, release, p, release, p, n, p, n)
			}
			b.WriteString("}}")
		}
		b.WriteByte('}')
	}
	b.WriteByte('}')
	return b.Bytes()
}

// BenchmarkRead reads the whole tracker, and tells the most that the heap held beside the file.
func BenchmarkRead(b *testing.B) {
	raw := tracker()
	b.SetBytes(int64(len(raw)))
	var most uint64
	for b.Loop() {
		stop := make(chan uint64)
		done := make(chan struct{})
		go watchHeap(done, stop)
		list, err := Read(raw)
		close(done)
		most = max(most, <-stop)
		if err != nil || len(list) != 3_500*13 {
			b.Fatal(len(list), err)
		}
	}
	b.ReportMetric(float64(most-uint64(len(raw)))/(1<<20), "MiB-beside-the-file")
}

func watchHeap(done <-chan struct{}, most chan<- uint64) {
	var top uint64
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		top = max(top, m.HeapInuse)
		select {
		case <-done:
			most <- top
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
