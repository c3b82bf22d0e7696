package modules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

// Apply makes, changes or removes the account. After making one it looks again, because
// useradd cannot set everything.
func (u *User) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	_, there, err := sys.FindUser(u.Name)
	if err != nil {
		return err
	}
	if u.State == "absent" {
		return changeAccount(ctx, sys, []string{"userdel", "--", u.Name}, "")
	}
	if !there {
		argv, err := u.useradd(sys)
		if err != nil {
			return err
		}
		if err := changeAccount(ctx, sys, argv, ""); err != nil {
			return err
		}
		if changes, err = u.Check(ctx, sys); err != nil {
			return err
		}
	}
	return u.amend(ctx, sys, changes)
}

func changeAccount(ctx context.Context, sys *system.System, argv []string, stdin string) error {
	err := sys.ChangeAccount(ctx, argv, stdin)
	switch {
	case errors.Is(err, system.ErrNotRoot):
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	case errors.Is(err, system.ErrBusy):
		return fmt.Errorf("%w: %w", ErrWait, err)
	}
	return whetherAsked(err)
}

// useradd is the command line that makes the account.
func (u *User) useradd(sys *system.System) ([]string, error) {
	argv := []string{"useradd"}
	if u.UID != nil {
		argv = append(argv, "--uid", strconv.Itoa(*u.UID))
	}
	group := u.Group
	if group == "" { // a group of the same name would be in useradd's way: it becomes the primary one
		_, there, err := sys.FindGroup(u.Name)
		if err != nil {
			return nil, err
		}
		if there {
			group = u.Name
		}
	}
	if group != "" {
		argv = append(argv, "--gid", group)
	}
	if u.System {
		argv = append(argv, "--system")
	}
	if u.makesHome() {
		argv = append(argv, "--create-home")
	} else {
		argv = append(argv, "--no-create-home")
	}
	argv = append(argv, u.fields()...)
	return append(argv, "--", u.Name), nil
}

// fields are the options that useradd and usermod share.
func (u *User) fields() []string {
	var argv []string
	if u.Comment != nil {
		argv = append(argv, "--comment", *u.Comment)
	}
	if u.Home != "" {
		argv = append(argv, "--home", u.Home)
	}
	if u.Shell != "" {
		argv = append(argv, "--shell", u.Shell)
	}
	return argv
}

func (u *User) makesHome() bool {
	if u.ManageHome != nil {
		return *u.ManageHome
	}
	return !u.System
}

// amend makes the changes to an account that is there: with usermod, the hash with chpasswd.
func (u *User) amend(ctx context.Context, sys *system.System, changes []policies.Change) error {
	argv := []string{"usermod"}
	for _, c := range changes {
		argv = append(argv, u.usermod(c)...)
	}
	if len(argv) > 1 {
		if err := changeAccount(ctx, sys, append(argv, "--", u.Name), ""); err != nil {
			return err
		}
	}
	changed := func(attribute string) bool {
		return slices.ContainsFunc(changes, func(c policies.Change) bool { return c.Attribute == attribute })
	}
	if changed("password_hash") {
		return u.setHash(ctx, sys)
	}
	if changed("locked") {
		return u.setLock(ctx, sys)
	}
	return nil
}

// usermod are the options that make one change.
func (u *User) usermod(c policies.Change) []string {
	switch c.Attribute {
	case "uid":
		return []string{"--uid", c.After}
	case "group":
		return []string{"--gid", c.After}
	case "comment":
		return []string{"--comment", c.After}
	case "shell":
		return []string{"--shell", c.After}
	case "home":
		if u.makesHome() {
			return []string{"--home", c.After, "--move-home"}
		}
		return []string{"--home", c.After}
	case "groups":
		return []string{"--groups", strings.ReplaceAll(c.After, ", ", ",")}
	case "expires":
		return []string{"--expiredate", strings.TrimPrefix(c.After, "never")}
	default:
		return nil
	}
}

// setHash writes the hash. That opens a locked account, so the lock is set again.
func (u *User) setHash(ctx context.Context, sys *system.System) error {
	before, _, err := sys.FindShadow(u.Name)
	if err != nil {
		return err
	}
	hash := *u.PasswordHash
	keep := u.Locked == nil && strings.HasPrefix(before.Hash, "!") && before.Hash != "!"
	if (isTrue(u.Locked) || keep) && !strings.HasPrefix(hash, "*") {
		hash = "!" + hash
	}
	return changeAccount(ctx, sys, []string{"chpasswd", "--encrypted"}, u.Name+":"+hash+"\n")
}

func (u *User) setLock(ctx context.Context, sys *system.System) error {
	option := "--unlock"
	if *u.Locked {
		option = "--lock"
	}
	return changeAccount(ctx, sys, []string{"usermod", option, "--", u.Name}, "")
}
