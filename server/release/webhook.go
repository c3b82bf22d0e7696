package release

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
)

// ErrWebhook means that a webhook does not prove that the forge sent it.
var ErrWebhook = errors.New("the webhook is not signed with this server's secret")

// VerifyWebhook returns nil when the forge that knows the secret sent the body: by an
// HMAC-SHA-256 (GitHub, Gitea, Forgejo) or by the secret itself (GitLab).
func VerifyWebhook(secret string, body []byte, header http.Header) error {
	if secret == "" {
		return ErrWebhook
	}
	if sum, ok := strings.CutPrefix(header.Get("X-Hub-Signature-256"), "sha256="); ok {
		return verifyMAC(secret, body, sum)
	}
	if sum := header.Get("X-Gitea-Signature"); sum != "" {
		return verifyMAC(secret, body, sum)
	}
	if subtle.ConstantTimeCompare([]byte(header.Get("X-Gitlab-Token")), []byte(secret)) == 1 {
		return nil
	}
	return ErrWebhook
}

func verifyMAC(secret string, body []byte, sum string) error {
	got, err := hex.DecodeString(sum)
	if err != nil {
		return ErrWebhook
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	if !hmac.Equal(got, mac.Sum(nil)) {
		return ErrWebhook
	}
	return nil
}
