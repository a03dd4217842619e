package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/secret"
)

// The headers of a delivery: Standard Webhooks 1.0 and, in addition, seed 001 "Webhook Integration".
const (
	HeaderID              = "Webhook-Id"          // the event's id; the same over all attempts and resends
	HeaderTimestamp       = "Webhook-Timestamp"   // of the attempt, in seconds since 1970
	HeaderSignature       = "Webhook-Signature"   // "v1,<base64>", one for each valid secret, separated by spaces
	HeaderLegacySignature = "X-Webhook-Signature" // hex HMAC-SHA256 of the raw body under the newest secret
	HeaderEvent           = "X-Webhook-Event"     // the event's type; not signed, so trust the body's
)

// SecretPrefix begins a secret of Standard Webhooks; the rest is its key in base64.
const SecretPrefix = "whsec_"

// ErrSecret refuses a secret that is neither "whsec_" with 24 to 64 bytes in base64 nor 8 to 256 printable ASCII
// characters without spaces.
var ErrSecret = fault.New(fault.Invalid, "invalid_secret", `a secret is "whsec_" and 24 to 64 bytes in base64, or 8 to 256 printable characters`)

// NewSecret makes a secret of 32 random bytes in the form of Standard Webhooks.
func NewSecret() secret.String {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand, Go 1.24)
	return secret.NewString(SecretPrefix + base64.StdEncoding.EncodeToString(key[:]))
}

// key is a secret ready for use. Standard Webhooks signs with the bytes that "whsec_" announces; a secret of another
// form, such as seed 001 lets a subscriber choose, is its own bytes. The seed's signature is under the text as shown.
type key struct{ standard, text []byte }

func parseSecret(text string) (key, error) {
	encoded, ok := strings.CutPrefix(text, SecretPrefix)
	if !ok {
		if len(text) < 8 || len(text) > 256 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return key{}, ErrSecret
		}
		return key{[]byte(text), []byte(text)}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		raw, err = base64.RawStdEncoding.DecodeString(encoded)
	}
	if err != nil || len(raw) < 24 || len(raw) > 64 {
		return key{}, ErrSecret
	}
	return key{raw, []byte(text)}, nil
}

// standardSum is the signature of Standard Webhooks: over id, timestamp and body.
func (k key) standardSum(id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, k.standard)
	head := make([]byte, 0, len(id)+len(timestamp)+2)
	head = append(append(append(append(head, id...), '.'), timestamp...), '.')
	_, _ = mac.Write(head)
	_, _ = mac.Write(body)
	return mac.Sum(nil)
}

// legacySum is the seed's signature: over the body.
func (k key) legacySum(body []byte) []byte {
	mac := hmac.New(sha256.New, k.text)
	_, _ = mac.Write(body)
	return mac.Sum(nil)
}

const scheme = "v1,"

// signatures are the values of HeaderTimestamp, HeaderSignature and HeaderLegacySignature. The first key is the newest.
func signatures(keys []key, id string, at time.Time, body []byte) (timestamp, standard, legacy string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	out := make([]byte, 0, len(keys)*48)
	for i, k := range keys {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, scheme...)
		out = base64.StdEncoding.AppendEncode(out, k.standardSum(id, timestamp, body))
	}
	return timestamp, string(out), hex.EncodeToString(keys[0].legacySum(body))
}
