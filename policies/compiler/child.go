package compiler

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/calendar"
	"plumb/policies/lang"
)

// Child is the whole life of the child process: it gives up what it may do, reads a request,
// writes a response and returns the exit code. What goes wrong is said on stderr.
func Child(stdin io.Reader, stdout io.Writer) int {
	if err := child(stdin, stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(stdin io.Reader, stdout io.Writer) error {
	r := bufio.NewReader(stdin)
	head, err := readHeader(r)
	if err != nil {
		return err
	}
	if err := confine(head); err != nil {
		return err
	}
	raw, err := readBundle(r, head)
	if err != nil {
		return err
	}
	tree, err := bundle.Unpack(raw)
	if err != nil {
		return err
	}
	asked := sync.OnceValues(func() (Request, error) { return readQuestion(r) })
	go func() { _, _ = asked() }() // mostly it comes while the tree is loaded
	config, problems := lang.Load(tree)
	req, err := asked()
	if err != nil {
		return err
	}
	res, err := answer(config, problems, req)
	if err != nil {
		return err
	}
	return writeReply(stdout, res)
}

func answer(config *lang.Config, problems []policies.Problem, req Request) (Response, error) {
	res := Response{Problems: problems, Policies: []policies.PolicyInfo{}, Rollouts: []policies.Rollout{},
		Windows: []calendar.Window{}, Freezes: []calendar.Freeze{}, Waivers: []policies.Waiver{}, Hosts: []Compiled{}}
	if slices.ContainsFunc(problems, func(p policies.Problem) bool { return p.Severity == "error" }) {
		return res, nil
	}
	res.Policies, res.Rollouts = config.Describe(), config.Rollouts()
	res.Windows, res.Freezes = config.Windows(), config.Freezes()
	res.Waivers = config.Waivers()
	if len(req.Advisories) > 0 {
		res.Emergencies, res.Unjudged = config.Emergencies(req.Advisories)
	}
	if req.Explain != "" && len(req.Hosts) > 0 {
		why := config.Explain(req.Hosts[0], req.Explain)
		res.Explained = &why
		return res, nil
	}
	m := memory{config: config, done: map[string]Compiled{}}
	for _, in := range req.Hosts {
		one, err := m.compile(in)
		if err != nil {
			return Response{}, err
		}
		res.Hosts = append(res.Hosts, one)
	}
	return res, nil
}

// memory compiles hosts that answer alike to all that the policies read only once.
type memory struct {
	config *lang.Config
	reads  [][]string
	done   map[string]Compiled
}

func (m *memory) compile(in lang.Input) (Compiled, error) {
	for n, reads := range m.reads {
		if one, ok := m.done[m.key(n, in, reads)]; ok {
			return one, nil
		}
	}
	out := m.config.Compile(in)
	shown, secret, err := lang.Redact(out.Catalog)
	if err != nil {
		return Compiled{}, err
	}
	raw, digest, err := lang.Digest(shown)
	if err != nil {
		return Compiled{}, err
	}
	before := ""
	if len(secret) > 0 {
		if _, before, err = lang.Digest(out.Catalog); err != nil {
			return Compiled{}, err
		}
	}
	one := Compiled{Catalog: raw, Digest: digest, Secret: secret, Before: before, Reads: out.Reads, Groups: out.Groups, Terms: out.Terms, Problems: out.Problems}
	if len(out.Problems) == 0 { // problems name their host
		m.remember(in, one)
	}
	return one, nil
}

func (m *memory) remember(in lang.Input, one Compiled) {
	n := slices.IndexFunc(m.reads, func(reads []string) bool { return slices.Equal(reads, one.Reads) })
	if n < 0 {
		n = len(m.reads)
		m.reads = append(m.reads, one.Reads)
	}
	m.done[m.key(n, in, one.Reads)] = one
}

func (m *memory) key(n int, in lang.Input, reads []string) string {
	return fmt.Sprint(n, " ", m.config.Key(in, reads))
}
