package sshd

import "strings"

// ParseCommand returns the Git service that a client's command line asks for, if it asks for
// one of the policy repository. Nothing of the line itself is ever passed on.
func ParseCommand(line string) (service string, ok bool) {
	for _, service := range []string{"git-upload-pack", "git-receive-pack"} {
		rest, found := strings.CutPrefix(line, service+" ")
		if !found {
			rest, found = strings.CutPrefix(line, strings.Replace(service, "-", " ", 1)+" ")
		}
		if found {
			return service, isPolicy(rest)
		}
	}
	return "", false
}

func isPolicy(path string) bool {
	if len(path) > 1 && path[0] == '\'' && path[len(path)-1] == '\'' {
		path = path[1 : len(path)-1]
	}
	switch path {
	case "policy", "/policy", "policy.git", "/policy.git", "/policy/", "policy/":
		return true
	}
	return false
}
