package views

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"plumb/policies"
	"plumb/server/store"
)

// Compliance is how the fleet stands with its policies and with the controls that they are
// evidence for.
type Compliance struct {
	// Hosts counts enrolled hosts; of Unanswered ones it is not known what they should be, or how
	// they are. They are in no policy's count.
	Hosts      int                `json:"hosts"`
	Unanswered int                `json:"unanswered"`
	Policies   []PolicyStanding   `json:"policies"`
	Frameworks []ControlFramework `json:"frameworks"`
	// Release is the newest one, whose policies are all among Policies, also those that no host has yet; 0 before
	// the first.
	Release uint64 `json:"release"`
	// Undescribed says why it is not known what the newest release says of its policies.
	Undescribed string `json:"undescribed,omitempty"`
}

// Tally counts hosts by status. Those with nothing against them are under policies.Compliant.
type Tally map[policies.Status]int

// Hosts is how many were counted.
func (t Tally) Hosts() int {
	total := 0
	for _, n := range t {
		total += n
	}
	return total
}

// Passing counts those that pass, InScope those that count at all.
func (t Tally) Passing() int { return t[policies.Compliant] + t[policies.Repaired] }

// InScope counts the hosts that count in a share.
func (t Tally) InScope() int {
	total := 0
	for status, n := range t {
		if status.InScope() {
			total += n
		}
	}
	return total
}

// Failing counts the hosts that are known not to pass.
func (t Tally) Failing() int {
	return t[policies.Noncompliant] + t[policies.Failed] + t[policies.Unexpected]
}

// Waiting counts those with an accepted exception or a window to wait for.
func (t Tally) Waiting() int { return t[policies.Waived] + t[policies.Pending] }

// Unknown counts the hosts of which nobody can say.
func (t Tally) Unknown() int { return t.Hosts() - t.Passing() - t.Failing() - t.Waiting() }

// PolicyStanding is how hosts stand with one policy.
type PolicyStanding struct {
	Name string `json:"name"`
	// Status counts the hosts that it applies to by the worst of its resources there.
	Status Tally `json:"status"`
	// Severity is the worst of its resources; Modes and Controls are those that they have.
	Severity  string             `json:"severity,omitempty"`
	Modes     []policies.Mode    `json:"modes"`
	Controls  []string           `json:"controls"`
	Resources []ResourceStanding `json:"resources"`
	// Declared is what it says of itself in the newest release; nil where it is not in that any more.
	Declared *policies.PolicyInfo `json:"declared,omitempty"`
}

// ResourceStanding is how hosts stand with one resource.
type ResourceStanding struct {
	Address  string            `json:"address"`
	Title    string            `json:"title,omitempty"`
	Modes    []policies.Mode   `json:"modes"`
	Severity string            `json:"severity,omitempty"`
	Controls []string          `json:"controls"`
	Source   policies.Position `json:"source"`
	// Status counts the hosts that it applies to, NotApplicable the others that have it.
	Status        Tally `json:"status"`
	NotApplicable int   `json:"not_applicable"`
}

// ControlFramework is a set of controls by the name before the colon.
type ControlFramework struct {
	Name     string            `json:"name"`
	Controls []ControlStanding `json:"controls"`
}

// ControlStanding is how hosts stand with one control.
type ControlStanding struct {
	// Control is framework:id, ID what comes after the colon.
	Control string `json:"control"`
	ID      string `json:"id"`
	// Verdict is pass, fail, waived, waiting or unknown.
	Verdict string `json:"verdict"`
	// Status counts the hosts that it applies to by the worst of its resources there.
	Status    Tally    `json:"status"`
	Resources []string `json:"resources"`
}

// Compliance tells how the fleet stands now. It looks at what hosts stand at, and not at hosts:
// those that stand alike are counted at once.
func (r Reader) Compliance(ctx context.Context) (Compliance, error) {
	c, err := r.standing(ctx)
	if err == nil {
		err = r.declare(ctx, &c)
	}
	return c, err
}

func (r Reader) standing(ctx context.Context) (Compliance, error) {
	list, err := r.Store.Standings(ctx)
	if err != nil {
		return Compliance{}, err
	}
	m := r.memory()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.learn(ctx, r.Store, list); err != nil {
		return Compliance{}, err
	}
	c := newCensus()
	for _, one := range list {
		c.hosts += one.Hosts
		faults, known := m.faults[pair{one.Catalog, one.Result}]
		if !known {
			c.unanswered += one.Hosts
			continue
		}
		c.stand(one, m.catalogs[one.Catalog], faults)
	}
	for catalog, n := range c.catalogs {
		c.wanted(m.catalogs[catalog], n)
	}
	return c.compliance(), nil
}

// census adds up standings.
type census struct {
	hosts, unanswered int
	// catalogs counts the hosts of each catalog: those that answer, and those that are silent.
	catalogs  map[string]answers
	resources map[string]*ResourceStanding
	policies  map[string]Tally
	controls  map[string]Tally
	// policyOf and evidence say where resources belong, by address and by control.
	policyOf map[string]string
	evidence map[string]map[string]bool
}

type answers struct{ heard, silent int }

func newCensus() *census {
	return &census{catalogs: map[string]answers{}, resources: map[string]*ResourceStanding{}, policies: map[string]Tally{}, controls: map[string]Tally{},
		policyOf: map[string]string{}, evidence: map[string]map[string]bool{}}
}

// stand counts what is wrong with hosts that stand alike: once a resource, and the worst of each
// policy and control.
func (c *census) stand(one store.Standing, o *outline, faults []fault) {
	n := c.catalogs[one.Catalog]
	if one.Silent {
		n.silent += one.Hosts
		c.catalogs[one.Catalog] = n
		return
	}
	n.heard += one.Hosts
	c.catalogs[one.Catalog] = n
	worstPolicy, worstControl := map[string]policies.Status{}, map[string]policies.Status{}
	for _, f := range faults {
		own := c.resource(f.head).Status
		if own[f.status] += one.Hosts; f.head.wanted() {
			own[policies.Compliant] -= one.Hosts
		}
		worsen(worstPolicy, f.head.Policy, f.status)
		for _, control := range f.head.Controls {
			worsen(worstControl, control, f.status)
		}
	}
	for name, status := range worstPolicy {
		turn(c.policies, name, status, one.Hosts, slices.Contains(o.policies, name))
	}
	for name, status := range worstControl {
		turn(c.controls, name, status, one.Hosts, slices.Contains(o.controls, name))
	}
}

func worsen(worst map[string]policies.Status, name string, status policies.Status) {
	if old, known := worst[name]; !known || status.Rank() > old.Rank() {
		worst[name] = status
	}
}

// turn counts hosts under a status, and takes them from those that pass where [census.wanted] will
// count them.
func turn(tallies map[string]Tally, name string, status policies.Status, hosts int, wanted bool) {
	tally := tallyOf(tallies, name)
	tally[status] += hosts
	if wanted {
		tally[policies.Compliant] -= hosts
	}
}

func tallyOf(tallies map[string]Tally, name string) Tally {
	if tallies[name] == nil {
		tallies[name] = Tally{}
	}
	return tallies[name]
}

// wanted counts the hosts of a catalog: those that answer pass where nothing is known against them.
func (c *census) wanted(o *outline, n answers) {
	for _, name := range o.policies {
		tallyOf(c.policies, name).add(n)
	}
	for _, name := range o.controls {
		tallyOf(c.controls, name).add(n)
	}
	for _, h := range o.heads {
		r := c.resource(h)
		if h.NotApplicable {
			r.NotApplicable += n.heard + n.silent
			continue
		}
		r.Status.add(n)
		r.tell(h)
		for _, control := range h.Controls {
			if c.evidence[control] == nil {
				c.evidence[control] = map[string]bool{}
			}
			c.evidence[control][h.Address] = true
		}
	}
}

func (t Tally) add(n answers) {
	t[policies.Compliant] += n.heard
	if n.silent > 0 {
		t[policies.Stale] += n.silent
	}
}

func (c *census) resource(h *head) *ResourceStanding {
	r := c.resources[h.Address]
	if r == nil {
		r = &ResourceStanding{Address: h.Address, Title: h.Title, Modes: []policies.Mode{}, Controls: list(h.Controls), Severity: h.Severity, Source: h.Source, Status: Tally{}}
		c.resources[h.Address], c.policyOf[h.Address] = r, h.Policy
	}
	return r
}

// tell adds what this catalog says of the resource.
func (r *ResourceStanding) tell(h *head) {
	if !slices.Contains(r.Modes, h.Mode) {
		r.Modes = append(r.Modes, h.Mode)
	}
	r.Title, r.Severity, r.Source = cmp.Or(r.Title, h.Title), worseSeverity(r.Severity, h.Severity), cmp.Or(r.Source, h.Source)
}

// severities are from the least to the worst.
var severities = [...]string{"", "low", "medium", "high", "critical"}

func worseSeverity(a, b string) string {
	if slices.Index(severities[:], b) > slices.Index(severities[:], a) {
		return b
	}
	return a
}

func (c *census) compliance() Compliance {
	v := Compliance{Hosts: c.hosts, Unanswered: c.unanswered, Policies: []PolicyStanding{}, Frameworks: []ControlFramework{}}
	own := map[string][]ResourceStanding{}
	for _, address := range slices.Sorted(maps.Keys(c.resources)) {
		r := c.resources[address]
		r.Status = r.Status.clean()
		own[c.policyOf[address]] = append(own[c.policyOf[address]], *r)
	}
	for _, name := range slices.Sorted(maps.Keys(c.policies)) {
		if name != "" {
			v.Policies = append(v.Policies, policyStanding(name, c.policies[name].clean(), own[name]))
		}
	}
	frameworks := map[string][]ControlStanding{}
	for _, control := range slices.SortedFunc(maps.Keys(c.controls), byNumbers) {
		name, one := c.control(control)
		frameworks[name] = append(frameworks[name], one)
	}
	for _, name := range slices.Sorted(maps.Keys(frameworks)) {
		v.Frameworks = append(v.Frameworks, ControlFramework{name, frameworks[name]})
	}
	return v
}

func policyStanding(name string, status Tally, resources []ResourceStanding) PolicyStanding {
	p := PolicyStanding{Name: name, Status: status, Modes: []policies.Mode{}, Controls: []string{}, Resources: list(resources)}
	for _, r := range resources {
		p.Severity = worseSeverity(p.Severity, r.Severity)
		p.Modes, p.Controls = append(p.Modes, r.Modes...), append(p.Controls, r.Controls...)
	}
	slices.Sort(p.Modes)
	slices.SortFunc(p.Controls, byNumbers)
	p.Modes, p.Controls = slices.Compact(p.Modes), slices.Compact(p.Controls)
	return p
}

// control returns the framework of a control and how hosts stand with it.
func (c *census) control(control string) (framework string, one ControlStanding) {
	framework, id, named := strings.Cut(control, ":")
	if !named {
		framework, id = "", control
	}
	one = ControlStanding{Control: control, ID: id, Status: c.controls[control].clean(), Resources: list(slices.Sorted(maps.Keys(c.evidence[control])))}
	one.Verdict = verdictOf(one.Status, c.unanswered)
	return framework, one
}

// Verdicts of a control.
const (
	VerdictPass    = "pass"
	VerdictFail    = "fail"
	VerdictWaived  = "waived"
	VerdictWaiting = "waiting"
	VerdictUnknown = "unknown"
)

// verdictOf sums up a control. While a host has not answered, whatever it should be, nobody can say
// that all pass.
func verdictOf(t Tally, unanswered int) string {
	switch {
	case t.Failing() > 0:
		return VerdictFail
	case t.Unknown() > 0 || unanswered > 0 || t.Hosts() == 0:
		return VerdictUnknown
	case t[policies.Pending] > 0:
		return VerdictWaiting
	case t[policies.Waived] > 0:
		return VerdictWaived
	}
	return VerdictPass
}

// clean leaves out what counts nothing.
func (t Tally) clean() Tally {
	maps.DeleteFunc(t, func(_ policies.Status, n int) bool { return n == 0 })
	return t
}

// byNumbers orders 5.1.2 before 5.1.16: runs of digits count as numbers.
func byNumbers(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x > 0 && y > 0 {
			p, q := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
				return c
			}
			a, b = a[x:], b[y:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits is how many digits a text begins with.
func digits(s string) int {
	n := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if n < 0 {
		return len(s)
	}
	return n
}
