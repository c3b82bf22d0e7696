package lang

import "plumb/policies"

// Describe returns what the policies say of themselves, by name. Nothing is known of hosts here, so what
// depends on one is left out.
func (c *Config) Describe() []policies.PolicyInfo {
	list := []policies.PolicyInfo{}
	s := newScope(c, Input{}, true) // its mistakes were reported by the check
	for _, name := range sortedKeys(c.policies) {
		list = append(list, s.describe(c.policies[name]))
	}
	return list
}

func (s *scope) describe(p *policy) policies.PolicyInfo {
	one := policies.PolicyInfo{Name: p.name, Title: s.text(p.meta["title"], nil), Version: s.text(p.meta["version"], nil),
		Severity: s.severity(p.meta["severity"], nil), Source: position(p.at)}
	one.Mode = policies.Enforce
	if e := p.meta["mode"]; e != nil {
		one.Mode = s.mode(e, nil, "")
	}
	if e := p.meta["applies_to"]; e != nil {
		one.AppliesTo = s.cfg.written(e.Range())
	}
	return one
}
