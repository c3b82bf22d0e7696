package watch

import (
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
