package run

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"plumb/agent/cause"
	"plumb/modules"
	"plumb/policies"
)

const hidden = "(sensitive)"

// secrets are what must not be shown of one resource.
type secrets struct {
	attributes []string
	all        bool     // every attribute is secret, those that nobody gave too
	values     []string // the longest first, so that no part of one survives
	key        []byte   // of the host; without it values are only hidden
	address    string
}

// Secret names the attributes that policy or the kind calls secret.
func Secret(res policies.Resource) []string {
	names := slices.Concat(res.Sensitive, modules.Secrets(res.Kind, res.Check))
	if slices.Contains(names, "source") { // it becomes the content
		names = append(names, "content")
	}
	return names
}

// secretsOf collects the secret attributes and their values.
func (p *pass) secretsOf(res policies.Resource) secrets {
	s := secrets{attributes: Secret(res), key: p.Key, address: res.Address}
	if len(s.attributes) == 0 {
		return s
	}
	var all map[string]any
	if json.Unmarshal(res.Attributes, &all) == nil {
		s.all = len(all) > 0
		for name, value := range all {
			if slices.Contains(s.attributes, name) {
				s.collect(value)
			} else {
				s.all = false
			}
		}
	}
	if source, ok := all["source"].(string); ok && p.System.Tree != nil && slices.Contains(s.attributes, "source") {
		if raw, err := fs.ReadFile(p.System.Tree, source); err == nil {
			s.collect(string(raw))
		}
	}
	slices.SortFunc(s.values, func(a, b string) int { return len(b) - len(a) })
	return s
}

// collect takes every string of a value, whole and line by line: a tool that complains about a
// file quotes one line of it.
func (s *secrets) collect(v any) {
	switch v := v.(type) {
	case string:
		if len(v) >= 3 {
			s.values = append(s.values, v)
		}
		for line := range strings.Lines(v) {
			if line = strings.TrimSpace(line); len(line) >= 6 && line != v {
				s.values = append(s.values, line)
			}
		}
	case []any:
		for _, one := range v {
			s.collect(one)
		}
	case map[string]any:
		for _, one := range v {
			s.collect(one)
		}
	}
}

// covers tells whether a change is one of a secret attribute or of a part of it, such as
// env.TOKEN of env.
func (s secrets) covers(attribute string) bool {
	return s.all || slices.ContainsFunc(s.attributes, func(name string) bool {
		rest, ok := strings.CutPrefix(attribute, name)
		return ok && (rest == "" || strings.ContainsAny(rest[:1], ".[ "))
	})
}

func (s secrets) scrub(text string) string {
	for _, value := range s.values {
		text = strings.ReplaceAll(text, value, hidden)
	}
	return text
}

var hiddenForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\(sensitive(, hmac [0-9a-f]{16})?\)$`) })

// hide puts a digest in the place of a value. It is made with the host's own key, so that one can
// tell whether a secret is another one than before, and nobody can try out what it is.
func (s secrets) hide(attribute, value string) string {
	if value == "" || hiddenForm().MatchString(value) {
		return value
	}
	if len(s.key) == 0 {
		return hidden
	}
	mac := hmac.New(sha256.New, s.key)
	for _, part := range []string{s.address, attribute, value} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return "(sensitive, hmac " + hex.EncodeToString(mac.Sum(nil))[:16] + ")"
}

// plain is the digest that was made ahead, if it was.
func (p *pass) plain(res policies.Resource) (string, error) {
	if p.at < len(p.ready) && p.catalog.Resources[p.at].Address == res.Address && p.ready[p.at].wanted != "" {
		return p.ready[p.at].wanted, nil
	}
	return cause.Wanted(res, nil)
}

// wanted is the digest of what policy wants, which holds no secret that could be tried out.
func (p *pass) wanted(res policies.Resource, s secrets) (string, error) {
	plain, err := p.plain(res)
	if err != nil || len(s.attributes) == 0 || len(s.key) == 0 {
		return plain, err
	}
	digest, err := cause.Wanted(res, s.key)
	p.Memory.Key(res.Address, plain, digest)
	return digest, err
}
