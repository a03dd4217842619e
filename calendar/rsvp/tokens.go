package rsvp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
)

// Purpose is the one thing that a token is good for.
type Purpose string

// The purposes.
const (
	ReplyAddress Purpose = "reply-address" // the tag of a guest's reply address
	Button       Purpose = "button"        // the link behind the buttons of an invitation
)

// Token is a credential of one guest for one event, as stored: by its hash.
type Token struct {
	Hash       string // secret.HashToken
	Purpose    Purpose
	Tenant     identity.TenantID
	EventID    string
	Guest      string // in the form of identity.NormalEmail
	Generation int    // from 0; rises when a guest whose tokens were revoked is invited again
	ExpiresAt  time.Time
	RevokedAt  time.Time // zero: it was not
}

// TokensConfig is what Tokens needs.
type TokensConfig struct {
	// Key makes tokens unguessable: at least 32 bytes. Another key makes all tokens that are out invalid for rendering
	// again, not for use.
	Key   secret.String
	Store TokenStore
	Now   func() time.Time // stamps revocations; default time.Now
}

// Tokens makes, finds and revokes the tokens in invitations. A token is an HMAC over what it is for, so that a mail can
// be rendered again with the same tokens while only their hashes are stored. It is safe for concurrent use.
type Tokens struct {
	key   []byte
	store TokenStore
	now   func() time.Time
}

// NewTokens makes Tokens.
func NewTokens(cfg TokensConfig) (*Tokens, error) {
	var errs []error
	if len(cfg.Key.Reveal()) < 32 {
		errs = append(errs, errors.New("rsvp: the token key needs 32 bytes"))
	}
	if cfg.Store == nil {
		errs = append(errs, errors.New("rsvp: tokens need a Store"))
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Tokens{key: []byte(cfg.Key.Reveal()), store: cfg.Store, now: cfg.Now}, errors.Join(errs...)
}

// tokenText is base32 in lower case, because mail servers change the case of addresses.
var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Token returns the text of a token: 160 bits in 32 letters and digits.
func (t *Tokens) Token(p Purpose, tenant identity.TenantID, eventID, guest string, generation int) string {
	mac := hmac.New(sha256.New, t.key)
	for _, s := range []string{string(p), string(tenant), eventID, guest} {
		var size [4]byte // so that no two lists of texts run together into the same bytes
		binary.BigEndian.PutUint32(size[:], uint32(len(s)))
		mac.Write(size[:])
		mac.Write([]byte(s))
	}
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(generation))
	mac.Write(n[:])
	return tokenText.EncodeToString(mac.Sum(nil)[:20])
}

// Issue makes the guest's tokens valid until expires, in the transaction in ctx, and returns their generation, from
// which AddressTag and ButtonToken give their texts. Issuing again moves the expiry; after Revoke it makes new ones.
func (t *Tokens) Issue(ctx context.Context, tenant identity.TenantID, eventID, guest string, expires time.Time) (int, error) {
	guest = identity.NormalEmail(guest)
	generation := 0
	last, err := t.store.LastToken(ctx, tenant, eventID, guest, ReplyAddress)
	switch {
	case errors.Is(err, ErrToken):
	case err != nil:
		return 0, err
	case last.RevokedAt.IsZero():
		generation = last.Generation
	default:
		generation = last.Generation + 1
	}
	for _, p := range []Purpose{ReplyAddress, Button} {
		err := t.store.PutToken(ctx, Token{
			Hash: secret.HashToken(t.Token(p, tenant, eventID, guest, generation)), Purpose: p, Tenant: tenant,
			EventID: eventID, Guest: guest, Generation: generation, ExpiresAt: expires,
		})
		if err != nil {
			return 0, err
		}
	}
	return generation, nil
}

// AddressTag returns the tag of the guest's reply address.
func (t *Tokens) AddressTag(tenant identity.TenantID, eventID, guest string, generation int) string {
	return t.Token(ReplyAddress, tenant, eventID, identity.NormalEmail(guest), generation)
}

// ButtonToken returns the token of the guest's buttons.
func (t *Tokens) ButtonToken(tenant identity.TenantID, eventID, guest string, generation int) string {
	return t.Token(Button, tenant, eventID, identity.NormalEmail(guest), generation)
}

// Revoke makes the guest's tokens for the event invalid, in the transaction in ctx.
func (t *Tokens) Revoke(ctx context.Context, tenant identity.TenantID, eventID, guest string) error {
	return t.store.RevokeTokens(ctx, tenant, eventID, identity.NormalEmail(guest), t.now().UTC().Truncate(time.Microsecond))
}

// find returns the token of the text for this purpose, valid or not, or ErrToken.
func (t *Tokens) find(ctx context.Context, p Purpose, text string) (Token, error) {
	if len(text) != 32 {
		return Token{}, ErrToken
	}
	token, err := t.store.TokenByHash(ctx, secret.HashToken(strings.ToLower(text)))
	if err == nil && token.Purpose != p {
		err = ErrToken
	}
	return token, err
}

// valid says whether the token can be used now.
func (t Token) valid(now time.Time) bool { return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt) }
