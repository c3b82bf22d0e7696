package modules

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

// Group is the kind group: one local group.
type Group struct {
	Name             string   `json:"name" plumb:"required" doc:"Name of the group."`
	State            string   `json:"state,omitempty" doc:"present (default) or absent."`
	GID              *int     `json:"gid,omitempty" doc:"Its number. Left to the host when it is not given."`
	Members          []string `json:"members,omitempty" doc:"Users that belong to it. A user may name its groups instead: do not use both for one group."`
	MembersExclusive bool     `json:"members_exclusive,omitempty" doc:"Whether all other members leave it. Users whose primary group it is stay."`
	System           bool     `json:"system,omitempty" doc:"Take the number from the range of system groups, when it is made."`
}

func groupKind() Kind {
	return Kind{
		Name: "group", Rank: 10,
		Doc: "A local group of /etc/group and its members. Groups of LDAP and the like are not seen.",
		New: func() Resource { return &Group{State: "present"} },
	}
}

// Identity is the group's name.
func (g *Group) Identity() string { return g.Name }

// Provides is group:NAME.
func (g *Group) Provides() []string { return []string{"group:" + g.Name} }

// Needs names its members. A user that also needs the group is the policy's own loop.
func (g *Group) Needs() []string {
	var list []string
	for _, name := range g.Members {
		list = append(list, "user:"+name)
	}
	return list
}

// Validate looks at the names and the number.
func (g *Group) Validate() []Mistake {
	list := oneOf("state", g.State, "present", "absent")
	list = append(list, nameMistakes("name", g.Name)...)
	for _, name := range g.Members {
		list = append(list, nameMistakes("members", name)...)
	}
	if g.GID != nil && (*g.GID < 0 || *g.GID >= 1<<31-1) {
		list = append(list, Mistake{"gid", "A number of a group lies between 0 and 2147483646."})
	}
	if g.State == "absent" && (len(g.Members) > 0 || g.MembersExclusive) {
		list = append(list, Mistake{"members", "A group that shall not be there has no members. Leave them out."})
	}
	return list
}

// Check compares the group's line with what is wanted.
func (g *Group) Check(_ context.Context, sys *system.System) ([]policies.Change, error) {
	found, there, err := sys.FindGroup(g.Name)
	if err != nil {
		return nil, err
	}
	switch {
	case g.State == "absent" && !there:
		return nil, nil
	case g.State == "absent":
		return []policies.Change{{Attribute: "state", Before: "present", After: "absent"}}, nil
	case !there:
		return []policies.Change{{Attribute: "state", Before: "absent", After: "present"}}, nil
	}
	var changes []policies.Change
	if g.GID != nil && *g.GID != found.GID {
		changes = append(changes, policies.Change{Attribute: "gid", Before: strconv.Itoa(found.GID), After: strconv.Itoa(*g.GID)})
	}
	if g.Members == nil && !g.MembersExclusive {
		return changes, nil
	}
	wanted, err := g.listed(sys, found)
	return append(changes, membership("members", found.Members, wanted, g.MembersExclusive)...), err
}

// listed are the members that have to stand in /etc/group: not those who belong to it by
// their primary group already.
func (g *Group) listed(sys *system.System, found system.Group) ([]string, error) {
	users, err := sys.Users()
	return slices.DeleteFunc(slices.Clone(g.Members), func(name string) bool {
		return !slices.Contains(found.Members, name) && slices.ContainsFunc(users, func(u system.User) bool {
			return u.Name == name && u.GID == found.GID
		})
	}), err
}

// Apply makes, changes or removes the group.
func (g *Group) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	if g.State == "absent" {
		return changeAccount(ctx, sys, []string{"groupdel", "--", g.Name}, "")
	}
	_, there, err := sys.FindGroup(g.Name)
	if err != nil {
		return err
	}
	if !there {
		if err := changeAccount(ctx, sys, g.groupadd(), ""); err != nil {
			return err
		}
		if changes, err = g.Check(ctx, sys); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if err := changeAccount(ctx, sys, g.argv(c), ""); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) groupadd() []string {
	argv := []string{"groupadd"}
	if g.GID != nil {
		argv = append(argv, "--gid", strconv.Itoa(*g.GID))
	}
	if g.System {
		argv = append(argv, "--system")
	}
	return append(argv, "--", g.Name)
}

// argv is the command line that makes one change.
func (g *Group) argv(c policies.Change) []string {
	if c.Attribute == "gid" {
		return []string{"groupmod", "--gid", c.After, "--", g.Name}
	}
	return []string{"gpasswd", "--members", strings.ReplaceAll(c.After, ", ", ","), "--", g.Name}
}
