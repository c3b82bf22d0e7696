package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"plumb/modules/system"
	"plumb/policies"
)

// Sysctl is the kind of one setting of the kernel.
type Sysctl struct {
	Key               string   `json:"key" plumb:"required" doc:"Name of the setting, such as net.ipv4.ip_forward. Where a part holds a dot itself, separate by slashes: net/ipv4/conf/eth0.100/rp_filter."`
	Value             string   `json:"value,omitempty" doc:"What it shall be. Several numbers are separated by spaces."`
	OneOf             []string `json:"one_of,omitempty" doc:"Values that are all fine. Only when it is none of them is it set, to value, or to the first of them."`
	Persist           bool     `json:"persist" doc:"True (the default) also wants the value in the files that are read at boot, in their order of precedence."`
	File              string   `json:"file,omitempty" doc:"File that holds the value for the next boot. Its other lines stay. By default /etc/sysctl.d/60-plumb-KEY.conf."`
	IgnoreUnsupported bool     `json:"ignore_unsupported,omitempty" doc:"True is content when the kernel does not know the setting. Without it that is an error."`
}

func sysctlKind() Kind {
	return Kind{
		Name: "sysctl", Rank: 40,
		Doc: "One setting of the kernel, as it is now and as it will be after the next boot. A file that would win over ours at boot is named.",
		New: func() Resource { return &Sysctl{Persist: true} },
	}
}

// Identity is the key as a path, so that both spellings are one thing.
func (s *Sysctl) Identity() string { return sysctlPath(s.Key) }

// Provides names the file that is written, unless it is shared.
func (s *Sysctl) Provides() []string {
	if !s.Persist || s.File != "" {
		return nil
	}
	return []string{"path:" + s.file()}
}

// Needs names the folders above the file.
func (s *Sysctl) Needs() []string {
	if !s.Persist {
		return nil
	}
	if s.File == "" {
		return parentNeeds(s.file())
	}
	return append(parentNeeds(s.File), "path:"+s.File)
}

func (s *Sysctl) file() string {
	if s.File != "" {
		return s.File
	}
	return "/etc/sysctl.d/60-plumb-" + strings.ReplaceAll(s.Key, "/", ".") + ".conf"
}

func (s *Sysctl) live() string { return "/proc/sys/" + sysctlPath(s.Key) }

// Validate looks at key, value and file.
func (s *Sysctl) Validate() []Mistake {
	var list []Mistake
	path := sysctlPath(s.Key)
	if !fs.ValidPath(path) || path == "." || strings.ContainsAny(s.Key, " \t\n=*?[#;\x00") {
		list = append(list, Mistake{"key", fmt.Sprintf("%q is no name of a setting. Write it as sysctl -a shows it.", s.Key)})
	}
	if s.Value == "" && len(s.OneOf) == 0 {
		list = append(list, Mistake{"value", "Nothing is wanted. Write value, or one_of."})
	}
	for _, value := range append([]string{s.Value}, s.OneOf...) {
		if strings.ContainsAny(value, "\n\x00") {
			list = append(list, Mistake{"value", "A value is one line. Remove the line break."})
		}
	}
	if s.Value != "" && len(s.OneOf) > 0 && !s.accepts(s.Value) {
		list = append(list, Mistake{"one_of", fmt.Sprintf("The value %q is not in the list of those that are fine. Add it.", s.Value)})
	}
	if s.File != "" {
		list = append(list, pathMistakes("file", s.File)...)
	}
	return list
}

func (s *Sysctl) accepts(value string) bool {
	if len(s.OneOf) == 0 {
		return plainValue(value) == plainValue(s.Value)
	}
	return slices.ContainsFunc(s.OneOf, func(one string) bool { return plainValue(one) == plainValue(value) })
}

// target is what Apply sets.
func (s *Sysctl) target() string {
	if s.Value == "" && len(s.OneOf) > 0 {
		return plainValue(s.OneOf[0])
	}
	return plainValue(s.Value)
}

func (s *Sysctl) wish() string {
	if len(s.OneOf) > 1 {
		return "one of " + strings.Join(s.OneOf, ", ")
	}
	return s.target()
}

// Check compares the running kernel and the files.
func (s *Sysctl) Check(_ context.Context, sys *system.System) ([]policies.Change, error) {
	now, known, err := s.now(sys)
	if err != nil {
		return nil, err
	}
	if !known && sys.Running() {
		return nil, s.unsupported()
	}
	if !known && !s.Persist {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, system.ErrNotRunning)
	}
	var changes []policies.Change
	if known && !s.accepts(now) {
		changes = append(changes, policies.Change{Attribute: "value", Before: now, After: s.wish()})
	}
	if !s.Persist {
		return changes, nil
	}
	boot, err := persistedSysctl(sys.Files(), sysctlPath(s.Key))
	if err != nil {
		return nil, err
	}
	if boot.file == "" || !s.accepts(boot.value) {
		changes = append(changes, policies.Change{Attribute: "persist", Before: boot.String(), After: s.wish()})
	}
	return changes, nil
}

func (s *Sysctl) unsupported() error {
	if s.IgnoreUnsupported {
		return nil
	}
	return fmt.Errorf("the kernel has no setting %s; load the module that brings it, or set ignore_unsupported", s.Key)
}

// now asks the running kernel; known is false when it has no such setting.
func (s *Sysctl) now(sys *system.System) (value string, known bool, err error) {
	raw, err := sys.Files().Read(s.live(), maxSysctlFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return "", false, nil
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EIO) {
		return "", false, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return plainValue(string(raw)), true, err
}

// Apply sets the kernel first: a value that it refuses must not wait for the next boot.
func (s *Sysctl) Apply(_ context.Context, sys *system.System, changes []policies.Change) error {
	if changed(changes, "value") {
		if err := s.set(sys); err != nil {
			return err
		}
	}
	if !changed(changes, "persist") {
		return nil
	}
	if err := s.persist(sys); err != nil {
		return err
	}
	boot, err := persistedSysctl(sys.Files(), sysctlPath(s.Key))
	if err != nil {
		return err
	}
	if !s.accepts(boot.value) {
		return fmt.Errorf("%s is written, but at the next boot %s is %s; remove that line", s.file(), s.Key, boot)
	}
	return nil
}

func (s *Sysctl) set(sys *system.System) error {
	err := sys.Files().Tell(s.live(), s.target()+"\n")
	switch {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("/proc/sys is read-only here, as in a container; set %s on the machine below: %w", s.Key, err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("the kernel refuses the value %q for %s: %w", s.target(), s.Key, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the kernel does not let us change %s (in a container, or locked until the next boot): %w", s.Key, err)
	}
	return err
}

func (s *Sysctl) persist(sys *system.System) error {
	text := "# Kept by Plumb.\n"
	raw, err := sys.Files().Read(s.file(), maxSysctlFile)
	if err == nil {
		text = string(raw)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeParents(sys, "/etc/sysctl.d"); err != nil && s.File == "" {
		return err
	}
	return sys.Files().Write(s.file(), []byte(withSetting(text, s.Key, s.target())), system.WriteOptions{Follow: true})
}
