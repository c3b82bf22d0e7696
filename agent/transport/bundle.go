package transport

import (
	"context"
	"os"

	"plumb/agent/protocol"
)

// Tag fetches the signed release tag of that digest; nobody looked at its signature yet.
func (c *Client) Tag(ctx context.Context, digest string) ([]byte, error) {
	return c.download(ctx, protocol.PathTags+digest, digest, protocol.MaxTag, nil)
}

// Bundle fetches the bundle of that digest, which the signed tag says has size bytes. A download
// that breaks off goes on where it stopped; what came so far lies in part, unless that is nil, and
// the next call goes on from there. The error wraps [ErrWrong] when it is not the bundle.
func (c *Client) Bundle(ctx context.Context, digest string, size int64, part *os.File) ([]byte, error) {
	return c.download(ctx, protocol.PathBundles+digest, digest, size, part)
}

// Set fetches the patch set of that digest, as [Client.Bundle] does; what is in it was not read yet.
func (c *Client) Set(ctx context.Context, digest string, part *os.File) ([]byte, error) {
	return c.download(ctx, protocol.PathSets+digest, digest, protocol.MaxObject, part)
}
