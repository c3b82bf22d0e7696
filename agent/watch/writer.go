package watch

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// Writer is who touched something. What is not known is zero: a program that is done at once is
// gone before it can be asked, and its number is all that is left.
type Writer struct {
	PID int
	// Comm is the program's short name.
	Comm string
	// Login is the user who logged in, whatever sudo made of them since.
	Login string
}

// String is for people: cp (pid 12) of ann. It is empty when the kernel did not tell who it was.
func (w Writer) String() string {
	if w.PID == 0 {
		return ""
	}
	text := fmt.Sprintf("%s (pid %d)", cmp.Or(w.Comm, "unknown"), w.PID)
	if w.Login != "" {
		text += " of " + w.Login
	}
	return text
}

// program names the writer without its pid, which is another one every time.
func (w Writer) program() string {
	switch {
	case w.Comm == "":
		return "" // a login alone is never known
	case w.Login == "":
		return w.Comm
	}
	return w.Comm + " of " + w.Login
}

// noLogin is what the kernel says of programs that no login has started.
const noLogin = "4294967295"

func writerOf(pid int) Writer {
	if pid <= 0 {
		return Writer{}
	}
	w := Writer{PID: pid}
	folder := "/proc/" + strconv.Itoa(pid) + "/"
	if raw, err := os.ReadFile(folder + "comm"); err == nil {
		w.Comm = strings.TrimSpace(string(raw))
	}
	raw, err := os.ReadFile(folder + "loginuid")
	uid := strings.TrimSpace(string(raw))
	if err != nil || uid == "" || uid == noLogin {
		return w
	}
	w.Login = uid
	if u, err := user.LookupId(uid); err == nil {
		w.Login = u.Username
	}
	return w
}

// maxDescent is how many processes may be between the agent and a script of a package.
const maxDescent = 12

// descends tells whether a process is another one or was started by it, as far as all between them
// still live.
func descends(pid, from int) bool {
	for range maxDescent {
		if pid <= 1 || from <= 0 {
			return false
		}
		if pid == from {
			return true
		}
		pid = parent(pid)
	}
	return false
}

// parent reads /proc/PID/stat: the number, the name in parentheses, which may hold anything, the
// state, and the parent's number. It is 0 when the process is gone.
func parent(pid int) int {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	up, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return up
}
