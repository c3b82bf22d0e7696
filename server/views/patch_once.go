package views

import (
	"context"

	"plumb/server/patching"
)

// once is a look at the fleet's patching that several questions share.
type once struct{ seen *patching.Sight }

type onceKey struct{}

// Once returns a context for questions about the patching of all hosts that are asked one after the other: the fleet is
// looked at once for them, so that all answers are of one moment.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, &once{}) }

func lookOnce(ctx context.Context, look func(context.Context) (*patching.Sight, error)) (*patching.Sight, error) {
	shared, _ := ctx.Value(onceKey{}).(*once)
	if shared == nil {
		return look(ctx)
	}
	var err error
	if shared.seen == nil {
		shared.seen, err = look(ctx)
	}
	return shared.seen, err
}
