package watch

import (
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

// String is for people: cp (pid 12) of ann.
func (w Writer) String() string {
	switch {
	case w.PID == 0:
		return ""
	case w.Comm == "":
		return fmt.Sprintf("pid %d", w.PID)
	case w.Login == "":
		return fmt.Sprintf("%s (pid %d)", w.Comm, w.PID)
	}
	return fmt.Sprintf("%s (pid %d) of %s", w.Comm, w.PID, w.Login)
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
