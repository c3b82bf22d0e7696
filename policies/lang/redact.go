package lang

import (
	"encoding/json"
	"slices"

	"plumb/policies"
)

// mark stands in place of a sensitive value, whatever its type.
const mark = `"(sensitive)"`

// Redact takes the sensitive values out of a catalog, which is stored and sent, and returns the whole
// attributes of the resources that have some by address. The mark is the same for every value:
// both sides must come to the same digest, and they share no key; a plain digest of a short
// secret could be tried out. That a secret is another one shows in the release, and in the
// keyed digests of results.
func Redact(c policies.Catalog) (policies.Catalog, map[string]json.RawMessage, error) {
	var whole map[string]json.RawMessage
	list := c.Resources
	for i, one := range c.Resources {
		if len(one.Sensitive) == 0 {
			continue
		}
		if whole == nil {
			whole, list = map[string]json.RawMessage{}, slices.Clone(list)
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(one.Attributes, &all); err != nil {
			return c, nil, err
		}
		for _, name := range one.Sensitive {
			if _, given := all[name]; given {
				all[name] = json.RawMessage(mark)
			}
		}
		raw, err := json.Marshal(all)
		if err != nil {
			return c, nil, err
		}
		whole[one.Address], list[i].Attributes = one.Attributes, raw
	}
	c.Resources = list
	return c, whole, nil
}
