package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/renkei-go/renkei/foundation/fault"
)

// What can go wrong. All are Internal: no input of a client is to blame.
var (
	ErrKeys       = fault.New(fault.Internal, "invalid_secret_keys", `keys are written "id:base64,id:base64", 32 bytes each`)
	ErrUnknownKey = fault.New(fault.Internal, "unknown_secret_key", "it was sealed with a key that is not configured")
	ErrBroken     = fault.New(fault.Internal, "broken_seal", "it was not sealed for this purpose, or was altered")
)

// Sealed values read "s1.<key id>.<base64url of nonce and ciphertext>".
const sealVersion = "s1"

// Sealer encrypts and authenticates values at rest with AES-256-GCM and random nonces (NIST SP 800-38D: rotate before
// 2^32 values under one key). The first key seals; all of them open. It is safe for concurrent use.
type Sealer struct {
	current string
	keys    map[string]cipher.AEAD
}

// ParseKeys reads "id1:base64,id2:base64", the newest key first: to rotate, put a new one in front, reseal what
// NeedsReseal names, then drop the old. Ids are 1 to 32 letters, digits, "-" or "_"; keys are 32 bytes in either
// base64 alphabet (NewKey makes one). It returns ErrKeys, which says the place but never a key.
func ParseKeys(text string) (*Sealer, error) {
	s := &Sealer{keys: map[string]cipher.AEAD{}}
	var all error
	for i, entry := range strings.Split(text, ",") {
		id, encoded, _ := strings.Cut(strings.TrimSpace(entry), ":")
		key, err := decodeKey(encoded)
		switch {
		case !validKeyID(id):
			all = errors.Join(all, fmt.Errorf("key %d has no valid id", i+1))
			continue
		case err != nil || len(key) != 32:
			all = errors.Join(all, fmt.Errorf("key %d is not 32 bytes in base64", i+1))
			continue
		case s.keys[id] != nil:
			all = errors.Join(all, fmt.Errorf("key %d repeats an id", i+1))
			continue
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, ErrKeys.Because(err)
		}
		if s.keys[id], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, ErrKeys.Because(err)
		}
		if s.current == "" {
			s.current = id
		}
	}
	if all != nil {
		return nil, ErrKeys.Because(all)
	}
	return s, nil
}

// NewKey makes a key in the form that ParseKeys reads after the id.
func NewKey() String {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand, Go 1.24)
	return NewString(base64.StdEncoding.EncodeToString(key[:]))
}

// Seal encrypts plain. Open needs the same aad, which says what the value is for, e.g. tenant, table and column, so
// that a sealed value cannot be moved elsewhere. The result is printable ASCII.
func (s *Sealer) Seal(plain, aad []byte) string {
	head := sealVersion + "." + s.current + "."
	return head + base64.RawURLEncoding.EncodeToString(s.keys[s.current].Seal(nil, nil, plain, bind(head, aad))) //nolint:gosec // the AEAD draws the nonce
}

// Open decrypts what Seal made. It returns ErrUnknownKey or ErrBroken.
func (s *Sealer) Open(sealed string, aad []byte) ([]byte, error) {
	id, body, ok := split(sealed)
	if !ok {
		return nil, ErrBroken
	}
	key := s.keys[id]
	if key == nil {
		return nil, ErrUnknownKey.With("key", id)
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, ErrBroken
	}
	plain, err := key.Open(nil, nil, box, bind(sealVersion+"."+id+".", aad))
	if err != nil {
		return nil, ErrBroken
	}
	return plain, nil
}

// NeedsReseal says whether a value is sealed with another key than the first.
func (s *Sealer) NeedsReseal(sealed string) bool {
	id, _, ok := split(sealed)
	return !ok || id != s.current
}

// bind makes the version and the key's id part of what is authenticated. The head has exactly two dots, so that no
// two pairs give the same bytes.
func bind(head string, aad []byte) []byte { return append([]byte(head), aad...) }

func split(sealed string) (id, body string, ok bool) {
	version, rest, _ := strings.Cut(sealed, ".")
	id, body, ok = strings.Cut(rest, ".")
	return id, body, ok && version == sealVersion && validKeyID(id)
}

func decodeKey(text string) ([]byte, error) {
	text = strings.TrimRight(text, "=")
	if strings.ContainsAny(text, "-_") {
		return base64.RawURLEncoding.DecodeString(text)
	}
	return base64.RawStdEncoding.DecodeString(text)
}

func validKeyID(id string) bool {
	if id == "" || len(id) > 32 {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}
