package lang

import (
	"runtime"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/policies/bundle"
)

// parsed is one file, its loops and templates bounded.
type parsed struct {
	file  *hcl.File
	diags hcl.Diagnostics
	fault any // what the parser died of
}

// parseAll parses the files on all processors: this is most of the work for a large tree. A fault
// in a parser is one of the caller's goroutine, who knows what to do with it.
func parseAll(tree bundle.Tree) map[string]parsed {
	var names []string
	for _, name := range sortedKeys(tree) {
		if isConfig(name) {
			names = append(names, name)
		}
	}
	list, next := make([]parsed, len(names)), make(chan int)
	var busy sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(names)) {
		busy.Go(func() {
			for i := range next {
				list[i] = parseBound(tree[names[i]], names[i])
			}
		})
	}
	for i := range names {
		next <- i
	}
	close(next)
	busy.Wait()
	all := map[string]parsed{}
	for i, name := range names {
		if list[i].fault != nil {
			panic(list[i].fault)
		}
		all[name] = list[i]
	}
	return all
}

func parseBound(src []byte, name string) (p parsed) {
	defer func() {
		if fault := recover(); fault != nil {
			p.fault = fault
		}
	}()
	p.file, p.diags = parse(src, name)
	if p.file == nil || p.diags.HasErrors() {
		return p
	}
	if body, ok := p.file.Body.(*hclsyntax.Body); ok {
		bind(body)
	}
	return p
}
