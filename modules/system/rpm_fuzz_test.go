package system

import (
	"bytes"
	"slices"
	"testing"
	"unicode/utf8"

	"plumb/inventory"
)

// fuzzRPMText gives one text to every parser of rpm's world. What they return is fit for a
// report, whatever the text.
func fuzzRPMText(t *testing.T, raw []byte) {
	text := string(raw)
	for _, p := range parseRPMList(text) {
		if p.Name == "" || p.Version == "" || !utf8.ValidString(p.Name+p.Version+p.source) {
			t.Errorf("parseRPMList returns %+v", p)
		}
	}
	for _, c := range parseDnfTransaction(text).changes {
		if c.rpmName() == "" || c.Version == "" {
			t.Errorf("parseDnfTransaction returns %+v", c)
		}
	}
	for _, link := range parseDnfProblem(text) {
		if !utf8.ValidString(link) || len(link) > 300 {
			t.Errorf("parseDnfProblem returns %q", link)
		}
	}
	_ = scanUpdateinfo(bytes.NewReader(raw), func(n inventory.Notice) {
		if n.ID == "" || len(n.Fixes) == 0 || !utf8.ValidString(n.ID+n.Summary) {
			t.Errorf("scanUpdateinfo returns %+v", n)
		}
	})
	_, _ = parseZypper(raw)
	_ = parseDnfUpgrades(text)
	_ = parseDnfCheck(text)
	_ = parseRPMDump(text)
	_ = verifyFails(text)
	for folder, names := range byFolder(text) {
		if folder[0] != '/' || slices.Contains(names, "") {
			t.Errorf("byFolder returns %q in %q", names, folder)
		}
	}
	_ = parseRepoFile(text)
	_ = updateinfoFile(raw)
	_ = scriptWords(Output{Stdout: raw})
}
