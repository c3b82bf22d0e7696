package lang

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"plumb/inventory"
)

// Reads that no expression names.
const (
	readBlock  = "host block" // whether there is a host block for this host
	readSample = "sample "    // and a group: whether the hash falls into its share
)

// read notes a path below fact or host.
func (s *scope) read(t hcl.Traversal) {
	steps := []string{t.RootName()}
	for _, step := range t[1:] {
		switch one := step.(type) {
		case hcl.TraverseAttr:
			steps = append(steps, one.Name)
		case hcl.TraverseIndex:
			if one.Key.Type() != cty.String || !one.Key.IsKnown() || one.Key.IsNull() {
				s.reads[joinPath(steps)] = true
				return
			}
			steps = append(steps, one.Key.AsString())
		default:
			s.reads[joinPath(steps)] = true
			return
		}
	}
	s.reads[joinPath(steps)] = true
}

// Key sums up what a host answers to the reads of an earlier compilation. A host with the
// same key gets the same output, so it need not be compiled again.
func (c *Config) Key(in Input, reads []string) string {
	block := c.hosts[in.Host.Name]
	answers := make([]any, len(reads))
	for i, read := range reads {
		answers[i] = c.answer(in, block, read)
	}
	raw, err := json.Marshal(answers)
	if err != nil {
		return string(in.Host.ID) + in.Host.Name // facts that are no JSON share nothing
	}
	return inventory.Digest(raw)
}

// KeyApart is [Config.Key] for those who have no tree at hand: where only the tree can answer, a host
// shares nothing with others.
func KeyApart(in Input, reads []string) string {
	key := (&Config{}).Key(in, reads) // of a sample it does not know either, and takes the name
	if slices.Contains(reads, readBlock) {
		key += " " + in.Host.Name
	}
	return key
}

func (c *Config) answer(in Input, block *host, read string) any {
	if read == readBlock {
		if block == nil {
			return nil
		}
		return block.name
	}
	if name, ok := strings.CutPrefix(read, readSample); ok {
		if g := c.groups[name]; g != nil && g.sample != nil && g.sample.per == nil {
			return g.sample.holds(in.Host.Name, "")
		}
		return in.Host.Name
	}
	steps := splitPath(read)
	if steps[0] == "host" {
		return hostAnswer(in.Host, block, steps[1:])
	}
	return lookUp(in.Facts, steps[1:])
}

func hostAnswer(h inventory.Host, block *host, steps []string) any {
	labels := map[string]any{}
	for key, value := range labelsOf(h, block) {
		labels[key] = value
	}
	return lookUp(map[string]any{"id": string(h.ID), "name": h.Name, "labels": labels}, steps)
}

func lookUp(v any, steps []string) any {
	for _, step := range steps {
		object, ok := v.(map[string]any)
		if !ok {
			return v // a list, or a type that tests use: take all of it
		}
		if v, ok = object[step]; !ok {
			return missing{Missing: true}
		}
	}
	return v
}

// missing is how a fact that is not there differs from a null.
type missing struct {
	Missing bool `json:"missing"`
}
