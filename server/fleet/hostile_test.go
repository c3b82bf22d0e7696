package fleet

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
	"plumb/testenv/hostile"
)

func corpus() []string {
	if os.Getenv("PLUMB_SOAK") == "1" {
		return hostile.Texts(5, 5000)
	}
	return hostile.Texts(5, 500)
}

// TestHostileObjects sends a corpus in each field of facts, catalogs and results: what holds control characters or
// is no UTF-8 is refused, and what is taken is the text itself.
func TestHostileObjects(t *testing.T) {
	taken, refused := 0, 0
	for _, text := range corpus() {
		raw := hostile.Quoted(text)
		for kind, body := range map[string]string{
			store.KindFacts:   `{"hostname":` + raw + `,"custom":{` + raw + `:[` + raw + `]},"packages":{` + raw + `:` + raw + `}}`,
			store.KindCatalog: `{"resources":[{"address":` + raw + `,"title":` + raw + `,"controls":[` + raw + `],"source":{"file":` + raw + `}}],"waivers":{` + raw + `:{"name":` + raw + `,"reason":` + raw + `}}}`,
			store.KindResult:  `{"resources":[{"address":` + raw + `,"status":"noncompliant","message":` + raw + `,"by":` + raw + `,"changes":[{"attribute":` + raw + `,"before":` + raw + `,"after":` + raw + `,"diff":` + raw + `}]}]}`,
		} {
			v, err := decodeObject(&elements{}, kind, []byte(body))
			if hostile.Refused(text) != (err != nil) {
				t.Errorf("%s with %q: %v", kind, text, err)
			}
			if err != nil {
				refused++
				continue
			}
			taken++
			if got := firstText(v); got != text {
				t.Errorf("%s took %q for %q", kind, got, text)
			}
		}
	}
	t.Logf("%d taken, %d refused", taken, refused)
}

func firstText(v any) string {
	switch one := v.(type) {
	case inventory.Facts:
		return one.Hostname
	case *decodedCatalog:
		return one.Resources[0].Title
	case *Found:
		return one.Resources[0].Message
	}
	return ""
}

// TestHostileCheckIns sends the corpus in check-ins: words that name something are refused, and what explains something
// loses what would steer a terminal.
func TestHostileCheckIns(t *testing.T) {
	for _, text := range corpus() {
		body, err := json.Marshal(protocol.CheckIn{Version: 1, Agent: "1", Paused: &protocol.Pause{Until: text, Reason: text}, Reports: []policies.Report{{Epoch: "e", Seq: 1, Problem: text}}})
		must(t, err)
		var in protocol.CheckIn
		must(t, json.Unmarshal(body, &in))
		must(t, clean(&in))
		for _, got := range []string{in.Paused.Until, in.Paused.Reason, in.Reports[0].Problem} {
			if hostile.Refused(got) {
				t.Errorf("%q was kept as %q", text, got)
			}
		}
		for name, one := range map[string]protocol.CheckIn{"agent": {Version: 1, Agent: text}, "instance": {Version: 1, Instance: text}, "epoch": {Version: 1, Reports: []policies.Report{{Epoch: text, Seq: 1}}},
			"commit": {Version: 1, Reports: []policies.Report{{Epoch: "e", Seq: 1, Commit: text}}}, "digest": {Version: 1, Reports: []policies.Report{{Epoch: "e", Seq: 1, Facts: text}}}} {
			if err := clean(&one); err == nil && strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("%q was taken as the %s", text, name)
			}
		}
	}
}
