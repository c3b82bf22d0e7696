package testenv_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

// hook is a receiver of alerts on the server side. It keeps what it is told.
type hook struct {
	mu   sync.Mutex
	came []string
}

func (h *hook) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // it is told again
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.came = append(h.came, string(body))
}

func (h *hook) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.came...)
}

// cmdHook starts the receiver, at http://10.77.0.1:8099/, or waits until it was told something so
// often, and no oftener.
func cmdHook(ts *testscript.TestScript, s *scene, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "start":
		listener, err := s.world.Listen(testenv.ServerAddress + ":8099")
		if err != nil {
			return err
		}
		s.hook = &hook{}
		go http.Serve(listener, s.hook) // ends with this program
		return nil
	case len(args) == 3 && args[0] == "told" && s.hook != nil:
		want, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		err = await(3*s.patience, func() error { return s.hook.told(args[2], want) })
		fmt.Fprintln(ts.Stdout(), strings.Join(s.hook.all(), "\n"))
		return err
	}
	return errors.New("usage: hook start; hook told N REGEXP")
}

// told holds that so much of what came in matches.
func (h *hook) told(pattern string, want int) error {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return stop{err}
	}
	n := 0
	for _, one := range h.all() {
		if match.MatchString(one) {
			n++
		}
	}
	switch err := fmt.Errorf("the receiver was told %q %d times, want %d", pattern, n, want); {
	case n > want:
		return stop{err}
	case n < want:
		return err
	}
	return nil
}
