package protocol

import "fmt"

// Range says which bytes of an object a piece of it is, as a Content-Range does.
type Range struct {
	// From is the first byte, To the one behind the last, Total how many the object has.
	From, To, Total int
}

// String is the Content-Range.
func (r Range) String() string { return fmt.Sprintf("bytes %d-%d/%d", r.From, r.To-1, r.Total) }

// ParseRange reads a Content-Range of one byte or more.
func ParseRange(text string) (r Range, err error) {
	_, _ = fmt.Sscanf(text, "bytes %d-%d/%d", &r.From, &r.To, &r.Total) // what it missed shows
	r.To++
	if r.From < 0 || r.To <= r.From || r.Total < r.To || r.String() != text {
		return Range{}, fmt.Errorf("%.100q is no range of bytes", text)
	}
	return r, nil
}
