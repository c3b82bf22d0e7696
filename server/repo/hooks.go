package repo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// The hooks of a push: before anything of it counts, and after it does.
const (
	PreReceive  = "pre-receive"
	PostReceive = "post-receive"
)

// PathHook is where the server's unix socket answers hooks. It must not be reachable otherwise.
const PathHook = "/v1/hook"

// HookRequest is what a hook asks the server.
type HookRequest struct {
	// Kind is PreReceive or PostReceive.
	Kind string `json:"kind"`
	// Author is who pushes, as the SSH listener knows them.
	Author string `json:"author"`
	// Updates are the references that are to change, or have.
	Updates []Update `json:"updates"`
	// Quarantine is the folder with the pushed objects, empty when they are in the repository.
	Quarantine string `json:"quarantine"`
}

// HookAnswer is what the server says; its lines are shown to whoever pushes.
type HookAnswer struct {
	// Refused stops the whole push.
	Refused bool `json:"refused"`
	// Lines are shown as they are, one by one.
	Lines []string `json:"lines"`
}

// Zero stands for no object: the Old of a new reference, the New of a deleted one.
const Zero = "0000000000000000000000000000000000000000"

// Update is one reference that a push changes.
type Update struct {
	Old string `json:"old"`
	New string `json:"new"`
	Ref string `json:"ref"`
}

var updateForm = regexp.MustCompile(`^([0-9a-f]{40}) ([0-9a-f]{40}) (refs/[!-~]{1,250})$`)

// ParseUpdates reads what git gives a receive hook.
func ParseUpdates(r io.Reader) ([]Update, error) {
	var list []Update
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 512), 512)
	for lines.Scan() {
		m := updateForm.FindSubmatch(lines.Bytes())
		if m == nil {
			return nil, fmt.Errorf("cannot read what git says of the push: %.80q", lines.Text())
		}
		if len(list) == MaxUpdates {
			return nil, fmt.Errorf("the push changes more than %d references; push fewer at once", MaxUpdates)
		}
		list = append(list, Update{Old: string(m[1]), New: string(m[2]), Ref: string(m[3])})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read what git says of the push: %w", err)
	}
	return list, nil
}

// HookMain is all of `plumb _hook KIND`: it asks the server and prints the answer. The exit
// code is 0 when the push may go on. A server that does not answer refuses.
func HookMain(kind string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithTimeout(context.Background(), serveTime)
	defer cancel()
	answer, err := askServer(ctx, kind, stdin, os.Getenv)
	if err != nil {
		fmt.Fprintf(stderr, "plumb: error: %v\n", err)
		return 1
	}
	for _, line := range answer.Lines {
		fmt.Fprintln(stdout, line)
	}
	if answer.Refused {
		return 1
	}
	return 0
}

func askServer(ctx context.Context, kind string, stdin io.Reader, getenv func(string) string) (HookAnswer, error) {
	updates, err := ParseUpdates(stdin)
	if err != nil {
		return HookAnswer{}, err
	}
	ask := HookRequest{Kind: kind, Author: getenv("PLUMB_AUTHOR"), Updates: updates, Quarantine: getenv("GIT_QUARANTINE_PATH")}
	if ask.Quarantine != "" {
		if ask.Quarantine, err = filepath.Abs(ask.Quarantine); err != nil {
			return HookAnswer{}, fmt.Errorf("cannot find the pushed objects: %w", err)
		}
	}
	return post(ctx, getenv("PLUMB_SOCKET"), ask)
}

func post(ctx context.Context, socket string, ask HookRequest) (HookAnswer, error) {
	body, err := json.Marshal(ask)
	if err != nil {
		return HookAnswer{}, fmt.Errorf("cannot ask the server: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://plumb"+PathHook, bytes.NewReader(body))
	if err != nil {
		return HookAnswer{}, fmt.Errorf("cannot ask the server: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "unix", socket)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return HookAnswer{}, fmt.Errorf("cannot ask the server, so the push is refused: %w", err)
	}
	defer res.Body.Close()
	return readAnswer(res)
}

func readAnswer(res *http.Response) (HookAnswer, error) {
	raw, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil || res.StatusCode != http.StatusOK {
		return HookAnswer{}, fmt.Errorf("the server could not judge the push, so it is refused: %s %.200q", res.Status, raw)
	}
	var answer HookAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return HookAnswer{}, fmt.Errorf("cannot read the server's answer, so the push is refused: %w", err)
	}
	return answer, nil
}
