package lang

// Limits of the language. Past each of them stands a diagnostic, never a crash.
const (
	maxFileBytes  = 64 << 10 // of one policy file or template
	maxNesting    = 64       // brackets, calls, unary operators, conditionals, splats
	maxChain      = 500      // binary operators and dots of one expression, with all around it
	maxForDepth   = 2        // for within for
	maxReferences = 100      // a local that reads a local that reads a local ...
	maxText       = 1 << 20  // bytes of one string
	maxElements   = 10_000   // of one collection
	maxNodes      = 100_000  // values within one value
	maxValueText  = 8 << 20  // bytes of all the strings within one value
	maxIterations = 1 << 18  // of all for expressions of one host
	maxTemplates  = 64 << 20
	maxWork       = 4 << 30 // bytes that the functions of one host take in
	maxResources  = 20_000  // of one host
	maxEdges      = 400_000 // between the resources of one host
	maxProblems   = 500     // shown; the rest is counted
	maxNumberText = 64      // characters of a number
	maxExponent   = 1024    // binary, as a float64 has
)
