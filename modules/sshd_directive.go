package modules

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"plumb/modules/system"
	"plumb/policies"
)

// SSHDDirective is the kind sshd_directive: one keyword of sshd's effective configuration.
type SSHDDirective struct {
	Keyword   string   `json:"keyword" plumb:"required" doc:"Keyword of sshd_config, in any letter case."`
	Value     string   `json:"value,omitempty" doc:"The value that it must have. \"1m\" and \"60\" are the same to sshd and so here."`
	OneOf     []string `json:"one_of,omitempty" doc:"Values that will do. The first is set where none of them is found."`
	Min       *int     `json:"min,omitempty" doc:"The smallest number that will do."`
	Max       *int     `json:"max,omitempty" doc:"The largest number that will do."`
	Forbidden []string `json:"forbidden,omitempty" doc:"Entries that a list such as Ciphers must not have. The rest of the list stays."`
	User      string   `json:"user,omitempty" doc:"Judge Match blocks as for this user (sshd -T -C)."`
	Host      string   `json:"host,omitempty" doc:"Judge Match blocks as for a client of this name."`
	Addr      string   `json:"addr,omitempty" doc:"Judge Match blocks as for a client of this address."`
}

func sshdDirectiveKind() Kind {
	return Kind{
		Name: "sshd_directive", Rank: 40,
		Doc: "One keyword of the OpenSSH server, as sshd -T tells it: drop-ins, Match blocks and letter case do not fool it. " +
			"It is set in a drop-in of its own, which sshd reads first, and only if sshd takes the whole configuration with it. " +
			"Notify the service to make it count.",
		New: func() Resource { return &SSHDDirective{} },
	}
}

var (
	sshdKeyword = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{1,63}$`) })
	sshdPart    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.:@%-]*$`) })
)

// Identity is the keyword in small letters, with the connection it is judged for.
func (d *SSHDDirective) Identity() string {
	return strings.Join([]string{d.keyword(), d.User, d.Host, d.Addr}, " ")
}

func (d *SSHDDirective) keyword() string { return strings.ToLower(d.Keyword) }

func (d *SSHDDirective) dropIn() string {
	return system.SSHDDropIns + "/00-plumb-" + d.keyword() + ".conf"
}

// Provides is the path of its drop-in.
func (d *SSHDDirective) Provides() []string { return []string{"path:" + d.dropIn()} }

// Needs names the package and the files it builds upon.
func (d *SSHDDirective) Needs() []string {
	return []string{"package:openssh-server", "path:" + system.SSHDDropIns, "path:" + system.SSHDConfig}
}

// Validate wants one way to judge the keyword, and nothing that breaks out of a line.
func (d *SSHDDirective) Validate() []Mistake {
	var list []Mistake
	if !sshdKeyword().MatchString(d.Keyword) || slices.Contains([]string{"match", "include"}, d.keyword()) {
		list = append(list, Mistake{"keyword", fmt.Sprintf("%q is no keyword with a value, such as PermitRootLogin.", d.Keyword)})
	}
	ways := 0
	for _, given := range []bool{d.Value != "", len(d.OneOf) > 0, d.Min != nil || d.Max != nil, len(d.Forbidden) > 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		list = append(list, Mistake{"", "Give one of value, one_of, min and max, or forbidden: it says what will do."})
	}
	if d.Min != nil && d.Max != nil && *d.Min > *d.Max {
		list = append(list, Mistake{"min", fmt.Sprintf("No number is %d at least and %d at most.", *d.Min, *d.Max)})
	}
	if strings.ContainsAny(d.Value+strings.Join(d.OneOf, ""), "\n\r\x00") {
		list = append(list, Mistake{"value", "A value is one line. Remove the line break."})
	}
	for attribute, part := range map[string]string{"user": d.User, "host": d.Host, "addr": d.Addr} {
		if !sshdPart().MatchString(part) {
			list = append(list, Mistake{attribute, fmt.Sprintf("%q cannot be given to sshd: use letters, digits and _ . : @ %% -.", part)})
		}
	}
	return list
}

// Check asks sshd what it would run with.
func (d *SSHDDirective) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	found, err := d.effective(ctx, sys)
	if err != nil {
		return nil, err
	}
	fine, err := d.fits(ctx, sys, found)
	if err != nil || fine {
		return nil, err
	}
	return []policies.Change{{Attribute: "value", Before: found, After: d.wish()}}, nil
}

// effective returns the value, several joined by blanks.
func (d *SSHDDirective) effective(ctx context.Context, sys *system.System) (string, error) {
	if !sys.Running() {
		return "", fmt.Errorf("%w: sshd only tells on the running host", ErrUnknown)
	}
	all, err := sys.SSHD(ctx, system.SSHDConnection{User: d.User, Host: d.Host, Addr: d.Addr})
	if errors.Is(err, system.ErrNoPrivsep) {
		return "", fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return strings.Join(all[d.keyword()], " "), whetherAsked(err)
}

func (d *SSHDDirective) fits(ctx context.Context, sys *system.System, found string) (bool, error) {
	switch {
	case len(d.Forbidden) > 0:
		return !slices.ContainsFunc(listEntries(found), d.forbids), nil
	case d.Min != nil || d.Max != nil:
		number, err := strconv.Atoi(found)
		return err == nil && (d.Min == nil || number >= *d.Min) && (d.Max == nil || number <= *d.Max), nil
	}
	for _, wanted := range append(slices.Clone(d.OneOf), d.Value) {
		if wanted == "" {
			continue
		}
		same, err := d.same(ctx, sys, wanted, found)
		if err != nil || same {
			return same, err
		}
	}
	return false, nil
}

// same compares two values as sshd understands them. Only when the words differ is sshd
// asked how it would print the wanted one.
func (d *SSHDDirective) same(ctx context.Context, sys *system.System, wanted, found string) (bool, error) {
	if strings.EqualFold(strings.Join(strings.Fields(wanted), " "), found) {
		return true, nil
	}
	canonical, err := sys.CanonicalSSHD(ctx, d.Keyword, wanted)
	if err != nil {
		return false, fmt.Errorf("cannot judge %s %s: %w", d.Keyword, wanted, err)
	}
	return canonical != "" && canonical == found, nil
}

func (d *SSHDDirective) forbids(entry string) bool {
	return slices.ContainsFunc(d.Forbidden, func(f string) bool { return strings.EqualFold(f, entry) })
}

func listEntries(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// wish says in words what is wanted.
func (d *SSHDDirective) wish() string {
	switch {
	case len(d.Forbidden) > 0:
		return "without " + strings.Join(d.Forbidden, ", ")
	case len(d.OneOf) > 0:
		return "one of " + strings.Join(d.OneOf, ", ")
	case d.Min != nil && d.Max != nil:
		return fmt.Sprintf("%d to %d", *d.Min, *d.Max)
	case d.Min != nil:
		return fmt.Sprintf("%d at least", *d.Min)
	case d.Max != nil:
		return fmt.Sprintf("%d at most", *d.Max)
	default:
		return d.Value
	}
}
