package fleet

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"plumb/agent/protocol"
	"plumb/policies"
)

// Caps on the words of a check-in, in bytes.
const (
	maxWord    = 128
	maxProblem = 4096
	maxReason  = 1024
	// maxCounter and maxSeq keep numbers in the range of a database's integers.
	maxCounter = 1 << 62
)

var (
	digestForm = regexp.MustCompile(`^([0-9a-f]{64})?$`)
	wordForm   = regexp.MustCompile(`^[!-~]*$`)
)

const updateAgent = "update the agent, or tell us: this must not happen"

// clean checks a check-in and takes out of its free text what must not reach a terminal.
func clean(in *protocol.CheckIn) error {
	if in.Version < 1 || in.Version > protocol.Version {
		return refuse(fmt.Sprintf("protocol version %d is not spoken here", in.Version), "update the server before its agents")
	}
	if len(in.Reports) > protocol.MaxReports {
		return refuse(fmt.Sprintf("a check-in carries %d reports at most", protocol.MaxReports), updateAgent)
	}
	if !isWord(in.Agent) || !isWord(in.Instance) || in.Counter > maxCounter || in.Floor > maxCounter {
		return refuse("the check-in has an unusable agent version, counter or floor", updateAgent)
	}
	if err := cleanProgress(in.Patching); err != nil {
		return err
	}
	if p := in.Paused; p != nil {
		in.Paused = &protocol.Pause{Until: printable(p.Until, maxWord), Reason: printable(p.Reason, maxReason)}
	}
	for i := range in.Reports {
		if err := cleanReport(&in.Reports[i]); err != nil {
			return err
		}
		if in.Reports[i].Epoch != in.Reports[0].Epoch {
			return refuse("a check-in carries reports of one epoch only", updateAgent)
		}
	}
	return nil
}

func cleanReport(r *policies.Report) error {
	for _, digest := range []string{r.Facts, r.Catalog, r.Result, r.Offers} {
		if !digestForm.MatchString(digest) {
			return refuse("a report names an object by something that is no digest", updateAgent)
		}
	}
	if (r.Catalog == "") != (r.Result == "") {
		return refuse("a report has a catalog without a result, or a result without a catalog", updateAgent)
	}
	if r.Epoch == "" || !isWord(r.Epoch) || !isWord(r.Commit) || !isWord(r.BootID) {
		return refuse("a report has an unusable epoch, commit or boot ID", updateAgent)
	}
	if r.Seq == 0 || r.Seq > maxCounter || r.Release > maxCounter {
		return refuse("a report has an unusable number", updateAgent)
	}
	r.Problem = printable(r.Problem, maxProblem)
	return nil
}

func isWord(s string) bool { return len(s) <= maxWord && wordForm.MatchString(s) }

// printable replaces control characters by spaces and cuts to max bytes: text that explains
// a failure must never be the reason that its report is refused.
func printable(s string, max int) string {
	s = strings.ToValidUTF8(s, "�")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return ' '
		}
		return r
	}, s)
	if len(s) > max {
		s = strings.ToValidUTF8(s[:max], "")
	}
	return s
}
