package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// NewToken makes a bearer token: prefix, then 256 random bits in base64url (43 characters). The prefix tells people and
// secret scanners what it is, e.g. "rk_".
func NewToken(prefix string) String {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return NewString(prefix + base64.RawURLEncoding.EncodeToString(b[:]))
}

// HashToken returns the SHA-256 of a token in hex, the form to store and to look up. A plain hash is enough for
// 256 random bits; it is not for passwords.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
