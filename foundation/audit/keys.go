package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Errors of this package. Match with errors.Is.
var (
	ErrBadKeys      = fault.New(fault.Invalid, "invalid_audit_keys", "audit keys need an id, at least 32 bytes, and a current one")
	ErrBadHead      = fault.New(fault.Invalid, "invalid_audit_head", "the head of the audit chain does not carry a valid signature")
	ErrNoChain      = fault.New(fault.NotFound, "no_audit_chain", "the tenant has no sealed audit entries")
	ErrInvalidEntry = fault.New(fault.Invalid, "invalid_audit_entry", "the audit entry is not complete")
)

// Keys are the secrets of the chain (HMAC-SHA256) by id. New seals use Current; older ones stay to verify what they
// sealed. Whoever knows a key can rewrite history, so keep them out of the database.
type Keys struct {
	Current string
	Secrets map[string][]byte // each at least 32 bytes
}

// Validate returns ErrBadKeys for a ring that cannot seal.
func (k Keys) Validate() error {
	for id, secret := range k.Secrets {
		if id == "" || len(secret) < sha256.Size {
			return ErrBadKeys
		}
	}
	if k.Secrets[k.Current] == nil {
		return ErrBadKeys
	}
	return nil
}

// Seal is an entry's place in its tenant's chain. Digest binds the entry's content; MAC binds Digest to Seq and to the
// MAC before it. Both are lower-case hex.
type Seal struct {
	Seq    int64
	KeyID  string
	Digest string
	MAC    string
}

// Head is the end of a tenant's chain at some time. Kept where the database's owner cannot reach it, it proves later
// that nothing was cut off.
type Head struct {
	Tenant    identity.TenantID `json:"tenant"`
	Seq       int64             `json:"seq"`
	MAC       string            `json:"mac"`
	Time      time.Time         `json:"time"` // when it was exported
	KeyID     string            `json:"key_id"`
	Signature string            `json:"signature"`
}

// encoding is a list of fields, each with its length in front, so that no two lists look the same.
type encoding []byte

func (e *encoding) text(fields ...string) {
	for _, f := range fields {
		*e = binary.AppendUvarint(*e, uint64(len(f)))
		*e = append(*e, f...)
	}
}

func (e *encoding) number(n int64) { *e = binary.BigEndian.AppendUint64(*e, uint64(n)) }

func (e encoding) mac(key []byte) string {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(e)
	return hex.EncodeToString(h.Sum(nil))
}

// digest covers everything that the entry says. Metadata is encoded as JSON with sorted keys.
func digest(key []byte, keyID string, e Entry) (string, error) {
	metadata := []byte("{}")
	if len(e.Metadata) > 0 {
		var err error
		if metadata, err = json.Marshal(e.Metadata); err != nil {
			return "", ErrInvalidEntry.WithField("metadata", "must encode to JSON").Because(err)
		}
	}
	var enc encoding
	enc.text("renkei.audit.entry.1", keyID, string(e.Tenant), e.ID)
	enc.number(e.Time.UnixMicro())
	enc.text(e.ActorID, e.SubjectID, e.Action, e.TargetKind, e.TargetID, e.Reason, e.RequestID, string(metadata))
	return enc.mac(key), nil
}

// link is the MAC of the entry with this digest at place seq after previous.
func link(key []byte, tenant identity.TenantID, seq int64, previous, digest string) string {
	var enc encoding
	enc.text("renkei.audit.link.1", string(tenant))
	enc.number(seq)
	enc.text(previous, digest)
	return enc.mac(key)
}

func (h Head) signature(key []byte) string {
	var enc encoding
	enc.text("renkei.audit.head.1", string(h.Tenant), h.KeyID, h.MAC)
	enc.number(h.Seq)
	enc.number(h.Time.UnixMicro())
	return enc.mac(key)
}

func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
