package lang

import "github.com/hashicorp/hcl/v2"

func readLocals(l *loader, block *hcl.Block) {
	for _, one := range l.attributes(block.Body) {
		if first := l.cfg.locals[one.name]; first != nil {
			l.report(duplicate("local value", one.name, one.at, first.at))
			continue
		}
		l.cfg.locals[one.name] = one
	}
}

// readValues takes the values that the repository gives to variables for all hosts.
func readValues(l *loader, block *hcl.Block) {
	for _, one := range l.attributes(block.Body) {
		if first := l.cfg.values[one.name]; first != nil {
			l.report(duplicate("value of the variable", one.name, one.at, first.at))
			continue
		}
		l.cfg.values[one.name] = one
	}
}
