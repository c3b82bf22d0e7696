package compiler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"plumb/policies/canon"
)

// reply is the first line of the answer. The catalogs follow as they are, each once: with the lengths
// that it names nobody has to look for their ends.
type reply struct {
	Response Response `json:"response"`
	// Catalogs are their lengths in bytes.
	Catalogs []int `json:"catalogs"`
	// Of says which of them each host has.
	Of []int `json:"of"`
}

// sizeForm is the length of an answer, which the child writes before it: the caller makes room once,
// and knows when it is whole.
const (
	sizeForm   = "%015d\n"
	sizeLength = 16
)

// maxAnswer is how many bytes of the child's answer are read.
const maxAnswer = 256 << 20

// errForm is wrapped when what the child writes is no answer.
var errForm = errors.New("it does not begin with its length")

func readAnswer(r io.Reader) ([]byte, error) {
	var head [sizeLength]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("it ends after %d bytes: %w", n, err)
	}
	size, err := strconv.ParseUint(string(head[:sizeLength-1]), 10, 63)
	if err != nil || head[sizeLength-1] != '\n' {
		return nil, errForm
	}
	if size > maxAnswer {
		return nil, fmt.Errorf("%w that we take: it has more than %d MiB", errForm, maxAnswer>>20)
	}
	answer := make([]byte, size)
	if n, err := io.ReadFull(r, answer); err != nil {
		return nil, fmt.Errorf("it ends after %d of %d bytes: %w", n, size, err)
	}
	return answer, nil
}

func writeReply(w io.Writer, res Response) error {
	head := reply{Response: res, Catalogs: []int{}, Of: make([]int, len(res.Hosts))}
	head.Response.Hosts = append([]Compiled{}, res.Hosts...)
	parts, known := [][]byte{nil, nil}, map[string]int{}
	for i := range head.Response.Hosts {
		one := &head.Response.Hosts[i]
		n, ok := known[one.Digest]
		if !ok {
			n = len(head.Catalogs)
			known[one.Digest] = n
			head.Catalogs, parts = append(head.Catalogs, len(one.Catalog)), append(parts, one.Catalog)
		}
		head.Of[i], one.Catalog = n, nil
	}
	line, err := canon.Marshal(head)
	if err != nil {
		return fmt.Errorf("cannot encode the answer: %w", err)
	}
	parts[1] = append(line, '\n')
	parts[0] = fmt.Appendf(nil, sizeForm, total(parts))
	for _, part := range parts {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("cannot write the answer: %w", err)
		}
	}
	return nil
}

func total(parts [][]byte) (n int) {
	for _, part := range parts {
		n += len(part)
	}
	return n
}

// readReply gives each host its catalog back. They are parts of the answer, and equal ones are one.
func readReply(answer []byte) (Response, error) {
	line, rest, found := bytes.Cut(answer, []byte("\n"))
	if !found {
		return Response{}, errors.New("it ends within its first line")
	}
	var head reply
	if err := canon.Unmarshal(line, &head); err != nil {
		return Response{}, err
	}
	catalogs := make([]json.RawMessage, len(head.Catalogs))
	for i, n := range head.Catalogs {
		if !fits(n, len(rest)) {
			return Response{}, errors.New("a catalog is cut short")
		}
		catalogs[i], rest = json.RawMessage(rest[:n:n]), rest[n:]
	}
	if len(rest) > 0 || len(head.Of) != len(head.Response.Hosts) {
		return Response{}, errors.New("it does not fit its first line")
	}
	for i, n := range head.Of {
		if n < 0 || n >= len(catalogs) {
			return Response{}, errors.New("it names a catalog that it does not have")
		}
		head.Response.Hosts[i].Catalog = catalogs[n]
	}
	return head.Response, nil
}
