package rsvp_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/rsvp"
)

func TestDKIM(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	record := "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	lookUp := func(_ context.Context, name string) ([]string, error) {
		if strings.HasPrefix(name, "s._domainkey.") {
			return []string{record}, nil
		}
		return nil, nil
	}
	sign := func(mail, domain string) string {
		var b bytes.Buffer
		if err := dkim.Sign(&b, strings.NewReader(mail), &dkim.SignOptions{Domain: domain, Selector: "s", Signer: private}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		change func(mail string) string
		lookUp rsvp.LookupTXT
		want   rsvp.Decision
	}{
		"aligned":      {func(m string) string { return sign(m, "outside.example") }, lookUp, rsvp.Applied},
		"subdomain":    {func(m string) string { return sign(m, "mail.outside.example") }, lookUp, rsvp.Applied},
		"not aligned":  {func(m string) string { return sign(m, "evil.example") }, lookUp, rsvp.Unverified},
		"tampered":     {func(m string) string { return strings.Replace(sign(m, "outside.example"), "ACCEPTED:", "DECLINED:", 1) }, lookUp, rsvp.Unverified},
		"switched off": {func(m string) string { return sign(m, "outside.example") }, nil, rsvp.Unverified},
	} {
		t.Run(name, func(t *testing.T) {
			r := sqlite(t, func(c *rsvp.Config) { c.LookupTXT = tt.lookUp })
			trust, partstat := rsvp.TrustNone, calendar.NeedsAction
			if tt.want == rsvp.Applied {
				trust, partstat = rsvp.TrustDKIM, calendar.Accepted
			}
			r.expect(r.ingest(tt.change(letter{auth: "-"}.with(ics(r.event.UID, "ACCEPTED")))), tt.want, trust)
			r.expectPartstat(partstat)
		})
	}
}
