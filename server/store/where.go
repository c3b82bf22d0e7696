package store

import (
	"strconv"
	"strings"
)

// where collects conditions and their arguments.
type where struct {
	conditions []string
	args       []any
}

// and adds a condition; each ? in it stands for the next argument.
func (w *where) and(condition string, args ...any) {
	for _, arg := range args {
		w.args = append(w.args, arg)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conditions = append(w.conditions, condition)
}

// in adds a condition that the column has one of the values; none is no condition.
func in[T ~string](w *where, column string, values []T) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = string(v)
	}
	w.and(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

// String is the WHERE clause, empty without conditions.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// limit is a LIMIT clause, for n rows, or for standard rows when n is 0.
func limit(n, standard int) string {
	if n <= 0 {
		n = standard
	}
	return " LIMIT " + strconv.Itoa(n)
}
