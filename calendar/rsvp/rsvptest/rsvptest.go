package rsvptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

const (
	acme  = identity.TenantID("acme")
	other = identity.TenantID("other")
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 123456000, time.UTC)

// Run holds a Store to its contract. open returns an empty one.
func Run(t *testing.T, open func(t *testing.T) rsvp.Store) {
	for name, test := range map[string]func(*testing.T, rsvp.Store){
		"entries come back":      entries,
		"paging":                 paging,
		"seen":                   seen,
		"admitted once":          admitted,
		"settled once":           settled,
		"one decision's":         decided,
		"refreshed lately":       refreshed,
		"raw mails are pruned":   raw,
		"tokens":                 tokens,
		"a failure undoes all":   rollback,
		"the clock goes forward": clock,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func full(id string) rsvp.Entry {
	return rsvp.Entry{
		ID: id, Tenant: acme, EventID: "ev", UID: "uid", ReceivedAt: noon, Attendee: "guest@outside.example", From: "from@outside.example",
		Partstat: calendar.Accepted, Comment: "見ました 'quoted'", DelegatedTo: "d@outside.example", Counter: true,
		Decision: rsvp.Unverified, Trust: rsvp.TrustNone, Via: rsvp.ViaMail, Sequence: 3, Stamp: noon.Add(-time.Hour),
		ReplyTime: noon.Add(-time.Minute), MessageID: "m", ContentHash: "c", Detail: "why",
		Proposed: calendar.Span{Start: noon.Add(time.Hour), End: noon.Add(2 * time.Hour)},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	want := full("1")
	must(t, s.Append(ctx, want, nil))
	got, err := s.Entry(ctx, acme, "1")
	must(t, err)
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	bare := rsvp.Entry{ID: "2", Tenant: acme, ReceivedAt: noon, Decision: rsvp.Malformed, Trust: rsvp.TrustNone, Via: rsvp.ViaMail}
	must(t, s.Append(ctx, bare, nil))
	if got, err = s.Entry(ctx, acme, "2"); err != nil || got != bare {
		t.Errorf("got %+v, %v\nwant %+v", got, err, bare)
	}
	for _, id := range []string{"3", "1"} {
		tenant := acme
		if id == "1" {
			tenant = other
		}
		if _, err := s.Entry(ctx, tenant, id); !errors.Is(err, rsvp.ErrNotFound) {
			t.Errorf("entry %s of %s: %v", id, tenant, err)
		}
	}
}

func paging(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	for i := range 5 {
		e := full(fmt.Sprint(i))
		e.ReceivedAt = noon.Add(time.Duration(i/2) * time.Microsecond) // pairs at the same time
		must(t, s.Append(ctx, e, nil))
	}
	stranger := full("x")
	stranger.EventID = ""
	stranger.ReceivedAt = noon.Add(-time.Hour)
	must(t, s.Append(ctx, stranger, nil))
	read := func(tenant identity.TenantID, event string) (ids string) {
		cursor := ""
		for {
			p, err := s.Entries(ctx, tenant, event, "", page.Request{Limit: 2, Cursor: cursor})
			must(t, err)
			for _, e := range p.Items {
				ids += e.ID
			}
			if cursor = p.Next; cursor == "" {
				return ids
			}
		}
	}
	if got := read(acme, "ev"); got != "43210" {
		t.Errorf("of the event: %s", got)
	}
	if got := read(acme, ""); got != "x" {
		t.Errorf("of no event: %s", got)
	}
	if got := read(other, "ev"); got != "" {
		t.Errorf("of another tenant: %s", got)
	}
	if _, err := s.Entries(ctx, acme, "ev", "", page.Request{Cursor: "1.nonsense"}); !errors.Is(err, page.ErrBadCursor) {
		t.Error(err)
	}
}

func seen(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	look := func(tenant identity.TenantID, id, hash string, seen, proven bool) {
		t.Helper()
		a, b, err := s.Seen(ctx, tenant, id, hash)
		must(t, err)
		if a != seen || b != proven {
			t.Errorf("%s %s: seen %t, proven %t", id, hash, a, b)
		}
	}
	look(acme, "m", "c", false, false)
	must(t, s.Append(ctx, full("1"), nil))
	look(acme, "m", "c", true, false)
	proven := full("2")
	proven.Trust = rsvp.TrustDKIM
	must(t, s.Append(ctx, proven, nil))
	look(acme, "m", "c", true, true)
	look(acme, "m", "another", false, false)
	look(acme, "another", "c", false, false)
	look(other, "m", "c", false, false)
	button := full("3")
	button.MessageID, button.ContentHash = "", ""
	must(t, s.Append(ctx, button, nil))
	look(acme, "", "", false, false)
}

// once runs do eight times at once and wants one success, and refusal for the others.
func once(t *testing.T, refusal error, do func() error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = do() })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, refusal):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d succeeded", won)
	}
}

func admitted(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	must(t, s.Append(ctx, full("1"), nil))
	once(t, rsvp.ErrNotPending, func() error { return s.Admitted(ctx, acme, "1", "alice", noon.Add(time.Hour)) })
	e, err := s.Entry(ctx, acme, "1")
	must(t, err)
	if e.AdmittedBy != "alice" || !e.AdmittedAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v", e)
	}
	if err := s.Admitted(ctx, other, "1", "eve", noon); !errors.Is(err, rsvp.ErrNotPending) {
		t.Error(err)
	}
}

func settled(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	want := full("1")
	must(t, s.Append(ctx, want, nil))
	once(t, rsvp.ErrSettled, func() error { return s.Settled(ctx, acme, "1", rsvp.Declined, "alice", noon.Add(time.Hour)) })
	want.Settled, want.SettledBy, want.SettledAt = rsvp.Declined, "alice", noon.Add(time.Hour)
	if e, err := s.Entry(ctx, acme, "1"); err != nil || e != want {
		t.Errorf("got %+v, %v\nwant %+v", e, err, want)
	}
	if err := s.Settled(ctx, other, "1", rsvp.Accepted, "eve", noon); !errors.Is(err, rsvp.ErrSettled) {
		t.Error(err)
	}
}

func decided(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	for i, d := range []rsvp.Decision{rsvp.Counter, rsvp.Applied, rsvp.Counter, rsvp.Stale, rsvp.Counter} {
		e := full(fmt.Sprint(i))
		e.Decision = d
		must(t, s.Append(ctx, e, nil))
	}
	first, err := s.Entries(ctx, acme, "ev", rsvp.Counter, page.Request{Limit: 2})
	must(t, err)
	second, err := s.Entries(ctx, acme, "ev", rsvp.Counter, page.Request{Limit: 2, Cursor: first.Next})
	must(t, err)
	if len(first.Items) != 2 || first.Items[0].ID != "4" || first.Items[1].ID != "2" || len(second.Items) != 1 || second.Items[0].ID != "0" || second.Next != "" {
		t.Errorf("%+v, then %+v", first, second)
	}
	if _, err := s.Entries(ctx, acme, "ev", rsvp.Applied, page.Request{Cursor: first.Next}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("a cursor of another list: %v", err)
	}
}

func refreshed(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	limited := full("0")
	limited.Decision = rsvp.RefreshLimited
	must(t, s.Append(ctx, limited, nil))
	look := func(tenant identity.TenantID, event, attendee string, after time.Time, want bool) {
		t.Helper()
		if got, err := s.RefreshedAfter(ctx, tenant, event, attendee, after); err != nil || got != want {
			t.Errorf("%t, %v", got, err)
		}
	}
	look(acme, "ev", limited.Attendee, noon.Add(-time.Hour), false)
	e := full("1")
	e.Decision = rsvp.Refreshed
	must(t, s.Append(ctx, e, nil))
	look(acme, "ev", e.Attendee, noon.Add(-time.Microsecond), true)
	look(acme, "ev", e.Attendee, noon, false)
	look(acme, "ev", "second@outside.example", noon.Add(-time.Hour), false)
	look(acme, "another", e.Attendee, noon.Add(-time.Hour), false)
	look(other, "ev", e.Attendee, noon.Add(-time.Hour), false)
}

func raw(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	mail := []byte("From: a\r\n\r\n\x00\xff")
	for i := range 4 {
		e := full(fmt.Sprint(i))
		e.ReceivedAt = noon.Add(time.Duration(i) * time.Hour)
		must(t, s.Append(ctx, e, mail))
	}
	got, err := s.Raw(ctx, acme, "0")
	must(t, err)
	if !bytes.Equal(got, mail) {
		t.Errorf("%q", got)
	}
	if _, err := s.Raw(ctx, other, "0"); !errors.Is(err, rsvp.ErrNotFound) {
		t.Error(err)
	}
	for want := range 3 {
		n, err := s.PruneRaw(ctx, noon.Add(3*time.Hour), 2)
		must(t, err)
		if n != []int{2, 1, 0}[want] {
			t.Errorf("pruned %d", n)
		}
	}
	if _, err := s.Raw(ctx, acme, "2"); !errors.Is(err, rsvp.ErrNotFound) {
		t.Error(err)
	}
	_, err = s.Raw(ctx, acme, "3")
	must(t, err)
	_, err = s.Entry(ctx, acme, "0")
	must(t, err)
}

func tokens(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	token := rsvp.Token{Hash: "h0", Purpose: rsvp.Button, Tenant: acme, EventID: "ev", Guest: "g@outside.example", ExpiresAt: noon}
	if _, err := s.TokenByHash(ctx, "h0"); !errors.Is(err, rsvp.ErrToken) {
		t.Error(err)
	}
	if _, err := s.LastToken(ctx, acme, "ev", token.Guest, rsvp.Button); !errors.Is(err, rsvp.ErrToken) {
		t.Error(err)
	}
	must(t, s.PutToken(ctx, token))
	token.ExpiresAt = noon.Add(time.Hour)
	must(t, s.PutToken(ctx, token))
	if got, err := s.TokenByHash(ctx, "h0"); err != nil || got != token {
		t.Errorf("%+v, %v", got, err)
	}
	must(t, s.RevokeTokens(ctx, other, "ev", token.Guest, noon))
	must(t, s.RevokeTokens(ctx, acme, "ev", token.Guest, noon))
	must(t, s.RevokeTokens(ctx, acme, "ev", token.Guest, noon.Add(time.Hour))) // the first counts
	token.RevokedAt = noon
	must(t, s.PutToken(ctx, token)) // does not bring it back
	if got, err := s.TokenByHash(ctx, "h0"); err != nil || got != token {
		t.Errorf("%+v, %v", got, err)
	}
	next := token
	next.Hash, next.Generation, next.RevokedAt = "h1", 1, time.Time{}
	must(t, s.PutToken(ctx, next))
	if got, err := s.LastToken(ctx, acme, "ev", token.Guest, rsvp.Button); err != nil || got != next {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.LastToken(ctx, acme, "ev", token.Guest, rsvp.ReplyAddress); !errors.Is(err, rsvp.ErrToken) {
		t.Error(err)
	}
	n, err := s.PruneTokens(ctx, noon.Add(2*time.Hour), 1)
	must(t, err)
	m, err := s.PruneTokens(ctx, noon.Add(2*time.Hour), 5)
	must(t, err)
	if n != 1 || m != 1 {
		t.Errorf("pruned %d and %d", n, m)
	}
}

func rollback(t *testing.T, s rsvp.Store) {
	ctx := t.Context()
	failure := errors.New("no")
	err := s.Do(ctx, func(ctx context.Context) error {
		if err := s.Append(ctx, full("1"), []byte("x")); err != nil {
			return err
		}
		if err := s.PutToken(ctx, rsvp.Token{Hash: "h", Tenant: acme, ExpiresAt: noon}); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	if _, err := s.Entry(ctx, acme, "1"); !errors.Is(err, rsvp.ErrNotFound) {
		t.Error(err)
	}
	if _, err := s.TokenByHash(ctx, "h"); !errors.Is(err, rsvp.ErrToken) {
		t.Error(err)
	}
}

func clock(t *testing.T, s rsvp.Store) {
	a, err := s.Now(t.Context())
	must(t, err)
	b, err := s.Now(t.Context())
	must(t, err)
	if b.Before(a) || a.IsZero() || a.Location() != time.UTC {
		t.Errorf("%v then %v", a, b)
	}
}
