package rsvp

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"golang.org/x/net/publicsuffix"
)

// Proof is what is known of who sent a reply.
type Proof struct {
	Trust   Trust
	From    string // the sender's address; what it is worth says Trust
	EventID string // of the token, with TrustAddress and TrustButton
	Guest   string // whom the token was given to
}

// authserv says whether our own mail server vouches for the sender: only its topmost Authentication-Results counts,
// since anything below may have come with the mail (RFC 8601 §5).
func authserv(h head, authservID, from string) bool {
	value := h.get("Authentication-Results")
	_, domain, ok := strings.Cut(from, "@")
	if authservID == "" || value == "" || !ok {
		return false
	}
	id, results, ok := readAuthResults(value)
	if !ok || !strings.EqualFold(id, authservID) {
		return false
	}
	for _, r := range results {
		if r.result != "pass" {
			continue
		}
		switch r.method {
		case "dkim":
			signer := r.props["header.d"]
			if signer == "" {
				_, signer, _ = strings.Cut(r.props["header.i"], "@")
			}
			if aligned(signer, domain) {
				return true
			}
		case "dmarc":
			if of := r.props["header.from"]; of == "" || strings.EqualFold(of, domain) {
				return true
			}
		}
	}
	return false
}

// aligned is DMARC's relaxed alignment: the same organisational domain (RFC 7489 §3.1.1).
func aligned(signer, from string) bool {
	signer, from = strings.ToLower(strings.TrimSuffix(signer, ".")), strings.ToLower(from)
	if signer == from {
		return from != ""
	}
	a, err := publicsuffix.EffectiveTLDPlusOne(signer)
	if err != nil {
		return false
	}
	b, err := publicsuffix.EffectiveTLDPlusOne(from)
	return err == nil && a == b
}

const (
	maxSignatures = 5
	dkimTimeout   = 5 * time.Second
)

// LookupTXT returns the TXT records of a name; (*net.Resolver).LookupTXT is one.
type LookupTXT func(ctx context.Context, name string) ([]string, error)

// signed verifies the mail's DKIM signatures. It asks the DNS: never call it inside a transaction.
func signed(ctx context.Context, raw []byte, h head, from string, now time.Time, lookUp LookupTXT) bool {
	_, domain, ok := strings.Cut(from, "@")
	if lookUp == nil || !ok || h.get("DKIM-Signature") == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, dkimTimeout)
	defer cancel()
	if !bytes.Contains(raw, []byte("\r\n")) { // a signature covers CRLF
		raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
	}
	verifications, _ := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{
		LookupTXT:        func(name string) ([]string, error) { return lookUp(ctx, name) },
		MaxVerifications: maxSignatures,
	})
	for _, v := range verifications {
		if v.Err == nil && aligned(v.Domain, domain) && (v.Expiration.IsZero() || now.Before(v.Expiration)) {
			return true
		}
	}
	return false
}
