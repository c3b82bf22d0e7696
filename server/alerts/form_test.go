package alerts

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is an alert with text that each form has to keep from doing harm.
func sample(what string) Message {
	m := Message{Version: 1, ID: "4b1d", Incident: "c0ffee", What: what, Server: "plumb.example", Alert: Alert{
		ID: 7, Kind: HostNoncompliant, Subject: "web1", Severity: "critical", Opened: noon,
		Detail: `2 critical, such as policy.p.file.x; <!channel> & "quoted" \ {noformat} *bold*`,
	}}
	if what == Closed {
		m.Alert.Closed, m.ref = noon.Add(3600e9), "INC-42"
	}
	return m
}

// TestForms compares what each service is sent, method, address, header and body, with its golden file.
func TestForms(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(forms())) {
		t.Run(kind, func(t *testing.T) {
			var got strings.Builder
			w := Webhook{Name: "ops", Kind: kind, URL: "https://receiver.example/", Secret: "s3cret", User: "ada@example.org", Project: "OPS"}
			for _, what := range []string{Opened, Closed, Test} {
				r, ok := forms()[kind].write(w, sample(what), noon)
				if !ok || !json.Valid(r.body) {
					t.Fatalf("%s: %v, %s", what, ok, r.body)
				}
				writeRequest(t, &got, what, r)
			}
			golden(t, filepath.Join("testdata", kind+".txt"), got.String())
		})
	}
}

func writeRequest(t *testing.T, out *strings.Builder, what string, r request) {
	t.Helper()
	fmt.Fprintf(out, "# %s\n%s %s\n", what, r.method, r.url)
	if err := r.header.Write(out); err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	if err := json.Indent(&body, r.body, "", "  "); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(out, "\n%s\n\n", body.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, "\r\n", "\n")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// TestTicketIsClosed has a ticket system answer with the name of its ticket, and wants the end told
// to that ticket.
func TestTicketIsClosed(t *testing.T) {
	for kind, c := range map[string]struct{ answer, want string }{
		"servicenow": {`{"result":{"sys_id":"9d385017c611228701d22104cc95c371"}}`, "PATCH /in/api/now/table/incident/9d385017c611228701d22104cc95c371"},
		"jira":       {`{"id":"10000","key":"OPS-24"}`, "POST /in/rest/api/2/issue/OPS-24/comment"},
		"zendesk":    {`{"ticket":{"id":35436}}`, "PUT /in/api/v2/tickets/35436.json"},
	} {
		t.Run(kind, func(t *testing.T) {
			r := newReceiver(t)
			r.answer = func(_ int, w http.ResponseWriter) { fmt.Fprint(w, c.answer) }
			b, s := silent(t, r.hook(func(w *Webhook) { w.Kind, w.User, w.Project = kind, "ada", "OPS" }))
			b.must(s.deliver(t.Context(), s.sinks[0]))
			b.calls("id-web1")
			b.must(s.Step(t.Context(), b.now))
			b.now = b.now.Add(standardSettle)
			again := b.station(s.Config) // the name of the ticket outlives a restart
			b.must(again.Step(t.Context(), b.now))
			b.must(again.deliver(t.Context(), again.sinks[0]))
			got := r.all()
			if len(got) != 2 || got[1].method+" "+got[1].path != c.want {
				t.Fatalf("requests = %d, %+v, want %s", len(got), got[len(got)-1].path, c.want)
			}
			user, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(got[1].header.Get("Authorization"), "Basic "))
			if !strings.HasPrefix(string(user), "ada") || !strings.HasSuffix(string(user), ":s3cret") {
				t.Errorf("signed in as %q", user)
			}
		})
	}
}

// TestTicketNameIsForeign: what a receiver calls its ticket becomes a part of an address.
func TestTicketNameIsForeign(t *testing.T) {
	for _, answer := range []string{`{"key":"../../admin"}`, `{"key":"a?b"}`, `{"key":"a/b"}`, `{"key":{"x":1}}`, `{"key":""}`, `[]`, `null`, `x`, ``,
		`{"key":"` + strings.Repeat("a", 65) + `"}`, `{"key":-1}`} {
		if got := forms()["jira"].read([]byte(answer)); got != "" {
			t.Errorf("read(%s) = %q, want nothing", answer, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"key":"OPS-24"}`, `{"ticket":{"id":35436}}`, `{"result":{"sys_id":"9d38"}}`, `{"key":"../x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, form := range forms() {
			if ref := form.read(answer); strings.ContainsAny(ref, "/?#%.\r\n ") || len(ref) > 64 {
				t.Errorf("read(%q) = %q", answer, ref)
			}
		}
	})
}
