package lang

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// blockType is one kind of block at the top of a file. A new one is a file with its read
// function and a line in the list.
type blockType struct {
	name   string
	labels []string
	read   func(*loader, *hcl.Block)
}

func blocks() []blockType {
	return []blockType{
		{"plumb", nil, readPlumb},
		{"variable", []string{"name"}, readVariable},
		{"locals", nil, readLocals},
		{"values", nil, readValues},
		{"host", []string{"name"}, readHost},
		{"group", []string{"name"}, readGroup},
		{"policy", []string{"name"}, readPolicy},
		{"resource", []string{"kind", "name"}, misplaced},
		{"check", []string{"kind", "name"}, misplaced},
		{"output", []string{"name"}, notYet},
		{"module", []string{"name"}, notYet},
		{"window", []string{"name"}, readWindow},
		{"freeze", []string{"name"}, readFreeze},
		{"patch_baseline", []string{"name"}, readPatchBaseline},
		{"patch_sla", []string{"name"}, readPatchSLA},
		{"rollout", []string{"name"}, readRollout},
		{"waiver", []string{"name"}, readWaiver},
		{"framework", []string{"name"}, notYet},
		{"moved", nil, notYet},
		{"removed", nil, notYet},
		{"test", []string{"name"}, testBlock},
	}
}

func rootSchema() *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, one := range blocks() {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: one.name, LabelNames: one.labels})
	}
	return schema
}

func notYet(l *loader, block *hcl.Block) {
	l.report(failure(block.DefRange, "Not supported yet", fmt.Sprintf("Blocks of type %q are part of the policy language, but this version of Plumb (%s) does not support them yet. "+
		"Take the block out, or upgrade.", block.Type, Version)))
}

func misplaced(l *loader, block *hcl.Block) {
	l.report(failure(block.DefRange, "Block outside of a policy", fmt.Sprintf("A %s block stands within a policy, which says on which hosts it holds. Put it into policy \"…\" { }.", block.Type)))
}

func testBlock(l *loader, block *hcl.Block) {
	l.report(failure(block.DefRange, "Test outside of a test file", "Tests stand in files whose names end in .test.hcl, which are left out of the configuration. Move the block to such a file."))
}
