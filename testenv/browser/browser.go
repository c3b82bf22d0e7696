// Package browser is the real browser in which tests look at pages.
package browser

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Start starts a headless Chromium for a test. What hangs in it fails a minute before the time of all tests is over, and so
// tells where. Its profile goes with the test: chromedp makes and removes it, for it knows which of Chromium's processes
// outlive the first one and still write there.
func Start(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium: pages are looked at in a real browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("allow-pre-commit-input", true), // else keys and clicks are dropped until a page is drawn for the first time
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	if last, ok := t.Deadline(); ok {
		var end context.CancelFunc
		ctx, end = context.WithDeadline(ctx, last.Add(-time.Minute))
		t.Cleanup(end)
	}
	ctx, shut := chromedp.NewContext(ctx)
	t.Cleanup(shut)
	return ctx
}
