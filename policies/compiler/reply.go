package compiler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// reply is the first line that the child writes. The catalogs follow as they are, each once: with
// the lengths that it names nobody has to look for their ends.
type reply struct {
	Response
	// Catalogs are their lengths in bytes.
	Catalogs []int `json:"catalogs"`
	// Of says which of them each host has.
	Of []int `json:"of"`
}

func writeReply(w io.Writer, res Response) error {
	head := reply{Response: res, Catalogs: []int{}, Of: make([]int, len(res.Hosts))}
	head.Hosts = append([]Compiled{}, res.Hosts...)
	parts, known := [][]byte{nil}, map[string]int{}
	for i := range head.Hosts {
		one := &head.Hosts[i]
		n, ok := known[one.Digest]
		if !ok {
			n = len(head.Catalogs)
			known[one.Digest] = n
			head.Catalogs, parts = append(head.Catalogs, len(one.Catalog)), append(parts, one.Catalog)
		}
		head.Of[i], one.Catalog = n, nil
	}
	line, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("cannot encode the answer: %w", err)
	}
	parts[0] = append(line, '\n')
	for _, part := range parts {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("cannot write the answer: %w", err)
		}
	}
	return nil
}

// readReply gives each host its catalog back. They are parts of the answer, and equal ones are one.
func readReply(answer []byte) (Response, error) {
	line, rest, found := bytes.Cut(answer, []byte("\n"))
	if !found {
		return Response{}, errors.New("it ends within its first line")
	}
	var head reply
	if err := json.Unmarshal(line, &head); err != nil {
		return Response{}, err
	}
	catalogs := make([]json.RawMessage, len(head.Catalogs))
	for i, n := range head.Catalogs {
		if !fits(n, len(rest)) {
			return Response{}, errors.New("a catalog is cut short")
		}
		catalogs[i], rest = json.RawMessage(rest[:n:n]), rest[n:]
	}
	if len(rest) > 0 || len(head.Of) != len(head.Hosts) {
		return Response{}, errors.New("it does not fit its first line")
	}
	for i, n := range head.Of {
		if n < 0 || n >= len(catalogs) {
			return Response{}, errors.New("it names a catalog that it does not have")
		}
		head.Hosts[i].Catalog = catalogs[n]
	}
	return head.Response, nil
}
