package canon

import (
	"strings"
	"testing"
)

func TestPlainUntilStopsAtEachStrangeByte(t *testing.T) {
	for b := range 256 {
		for at := range 17 {
			text := strings.Repeat("a", at) + string([]byte{byte(b)}) + strings.Repeat("\x00\xff\x7f ", 4)
			want := at
			for plainByte[text[want]] {
				want++
			}
			if got := plainUntil(text, 0); got != want {
				t.Fatalf("plainUntil(%q, 0) = %d, want %d", text, got, want)
			}
			if got := plainUntil([]byte(text), at); got != want {
				t.Fatalf("plainUntil(%q, %d) = %d, want %d", text, at, got, want)
			}
		}
	}
}

func BenchmarkText(b *testing.B) {
	text := "first line\n" + strings.Repeat("0123456789abcdef", 63) + "\n"
	raw, err := Marshal(text)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			raw, _ = Append(raw[:0], text)
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			_ = Unmarshal(raw, &text)
		}
	})
}
