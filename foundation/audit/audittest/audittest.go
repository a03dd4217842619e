package audittest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Store is all that the suite exercises.
type Store interface {
	audit.Recorder
	audit.Reader
	audit.SealStore
}

// UnitOfWork opens transactions into a context; sqldb.DB is one.
type UnitOfWork interface {
	Do(ctx context.Context, fn func(ctx context.Context) error) error
}

// Keys is a ring for tests.
func Keys() audit.Keys {
	return audit.Keys{Current: "k1", Secrets: map[string][]byte{"k1": slices.Repeat([]byte("k"), 32)}}
}

// Run runs the suite; every subtest opens an empty store.
func Run(t *testing.T, open func(t *testing.T) (Store, UnitOfWork)) {
	tests := []struct {
		name string
		run  func(t *testing.T, ctx context.Context, s Store, db UnitOfWork)
	}{
		{"RecordAndList", recordAndList},
		{"JoinsTheTransaction", joinsTheTransaction},
		{"RefusesBadEntries", refusesBadEntries},
		{"Paging", paging},
		{"Involving", involving},
		{"Turns", turns},
		{"SealAndVerify", sealAndVerify},
		{"LateCommit", lateCommit},
		{"SealersTogether", sealersTogether},
		{"KeyRotation", keyRotation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, db := open(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			tt.run(t, ctx, s, db)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entry(i int) audit.Entry {
	return audit.Entry{
		Tenant: "acme", ActorID: fmt.Sprint("actor", i%3), SubjectID: fmt.Sprint("subject", i%2), Action: "TEST", TargetKind: "thing",
		TargetID: fmt.Sprint(i), Reason: "because", Time: time.Date(2026, 3, 8, 0, 0, i/2, 0, time.UTC),
		Metadata: map[string]any{"i": i, "big": json.Number("12345678901234567890.10"), "text": "ü<>\u2028", "list": []any{1.5, nil, true}},
	}
}

func sealer(t *testing.T, s Store, keys audit.Keys) *audit.Sealer {
	t.Helper()
	out, err := audit.NewSealer(audit.SealerConfig{Store: s, Keys: keys})
	must(t, err)
	return out
}

func sealAll(t *testing.T, ctx context.Context, s Store, limit int) (total int) {
	t.Helper()
	for {
		n, err := sealer(t, s, Keys()).Sweep(ctx, limit)
		must(t, err)
		if n == 0 {
			return total
		}
		total += n
	}
}

func recordAndList(t *testing.T, ctx context.Context, s Store, _ UnitOfWork) {
	ctx = identity.WithRequestID(ctx, "req-1")
	before := time.Now().Add(-time.Second)
	must(t, s.Record(ctx, audit.By(identity.Principal{Tenant: "acme", Actor: "sec"}.For("boss"), "CREATE_EVENT", "calendar.event", "e1")))
	must(t, s.Record(ctx, entry(0), entry(1), entry(2), entry(3)))
	other := entry(0)
	other.Tenant = "other"
	must(t, s.Record(ctx, other))
	must(t, s.Record(ctx))

	got, err := s.List(ctx, "acme", audit.Filter{}, page.Request{})
	must(t, err)
	if len(got.Items) != 5 || got.Next != "" {
		t.Fatalf("%d items, next %q", len(got.Items), got.Next)
	}
	e := got.Items[0]
	if e.ID == "" || e.RequestID != "req-1" || e.Time.Before(before) || e.Seq != 0 || e.SubjectID != "boss" || e.Metadata["is_proxy"] != true {
		t.Errorf("%+v", e)
	}
	if big := fmt.Sprint(got.Items[1].Metadata["big"]); big != "12345678901234567890.10" {
		t.Errorf("digits lost: %s", big)
	}
	at := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		filter audit.Filter
		want   int
	}{
		"actor":     {audit.Filter{ActorID: "actor0"}, 2},
		"subject":   {audit.Filter{SubjectID: "subject1"}, 2},
		"target":    {audit.Filter{TargetID: "2"}, 1},
		"action":    {audit.Filter{Action: "CREATE_EVENT"}, 1},
		"involving": {audit.Filter{Involving: "boss"}, 1},
		"both":      {audit.Filter{ActorID: "actor0", SubjectID: "subject1"}, 1},
		"half-open": {audit.Filter{From: at, To: at.Add(time.Second)}, 2},
		"none":      {audit.Filter{ActorID: "actor0", Action: "X"}, 0},
	} {
		got, err := s.List(ctx, "acme", tt.filter, page.Request{})
		must(t, err)
		if len(got.Items) != tt.want {
			t.Errorf("%s: %d entries, want %d", name, len(got.Items), tt.want)
		}
	}
}

func joinsTheTransaction(t *testing.T, ctx context.Context, s Store, db UnitOfWork) {
	undo := errors.New("undo")
	err := db.Do(ctx, func(ctx context.Context) error { return errors.Join(s.Record(ctx, entry(1)), undo) })
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	if n, err := s.CountUnsealed(ctx, "acme"); n != 0 || err != nil {
		t.Errorf("%d entries of a rolled back transaction, %v", n, err)
	}
}

func refusesBadEntries(t *testing.T, ctx context.Context, s Store, _ UnitOfWork) {
	for name, spoil := range map[string]func(*audit.Entry){
		"tenant":       func(e *audit.Entry) { e.Tenant = "" },
		"actor":        func(e *audit.Entry) { e.ActorID = "" },
		"action":       func(e *audit.Entry) { e.Action = "" },
		"nul":          func(e *audit.Entry) { e.Reason = "a\x00" },
		"utf8":         func(e *audit.Entry) { e.TargetID = "\xff" },
		"metadata":     func(e *audit.Entry) { e.Metadata = map[string]any{"f": func() {}} },
		"metadata nul": func(e *audit.Entry) { e.Metadata = map[string]any{"f": "\x00"} },
	} {
		e := entry(1)
		spoil(&e)
		if err := s.Record(ctx, entry(0), e); !errors.Is(err, audit.ErrInvalidEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fine := entry(2)
	fine.Metadata = map[string]any{"path": `c:\u0000`}
	must(t, s.Record(ctx, fine))
}

func paging(t *testing.T, ctx context.Context, s Store, _ UnitOfWork) {
	var all []audit.Entry
	for i := range 25 {
		all = append(all, entry(i))
	}
	must(t, s.Record(ctx, all...))
	var seen []string
	for p := (page.Request{Limit: 4}); ; {
		got, err := s.List(ctx, "acme", audit.Filter{Action: "TEST"}, p)
		must(t, err)
		for _, e := range got.Items {
			seen = append(seen, e.TargetID)
		}
		if p.Cursor = got.Next; got.Next == "" {
			break
		}
	}
	if len(seen) != 25 || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != 25 || seen[24] != "0" && seen[24] != "1" {
		t.Errorf("%v", seen)
	}
	if _, err := s.List(ctx, "acme", audit.Filter{}, page.Request{Cursor: page.Encode("else", 1)}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("another listing's cursor: %v", err)
	}
}

// involving pages through what somebody did, what was done for them, and both at once, each entry once and in order.
func involving(t *testing.T, ctx context.Context, s Store, _ UnitOfWork) {
	people := []string{"me", "you", "them"}
	var all []audit.Entry
	want := 0
	for i := range 45 {
		e := entry(i)
		e.ActorID, e.SubjectID = people[i%3], people[i/3%3]
		if e.ActorID == "me" || e.SubjectID == "me" {
			want++
		}
		all = append(all, e)
	}
	must(t, s.Record(ctx, all...))
	var seen []audit.Entry
	for p := (page.Request{Limit: 4}); ; {
		got, err := s.List(ctx, "acme", audit.Filter{Involving: "me", Action: "TEST"}, p)
		must(t, err)
		seen = append(seen, got.Items...)
		if p.Cursor = got.Next; got.Next == "" {
			break
		}
	}
	ids := map[string]bool{}
	for i, e := range seen {
		if e.ActorID != "me" && e.SubjectID != "me" || ids[e.ID] || i > 0 && (e.Time.After(seen[i-1].Time) || e.Time.Equal(seen[i-1].Time) && e.ID > seen[i-1].ID) {
			t.Errorf("entry %d is out of place: %+v", i, e)
		}
		ids[e.ID] = true
	}
	if len(seen) != want {
		t.Errorf("%d entries, want %d", len(seen), want)
	}
}

// turns: of several tenants the one whose oldest entry waits longest comes first.
func turns(t *testing.T, ctx context.Context, s Store, _ UnitOfWork) {
	for i, tenant := range []identity.TenantID{"c", "a", "b", "a"} {
		e := entry(2 * i)
		e.Tenant = tenant
		must(t, s.Record(ctx, e))
	}
	for limit, want := range []string{"[]", "[c]", "[c a]", "[c a b]"} {
		if got, err := s.UnsealedTenants(ctx, limit); err != nil || fmt.Sprint(got) != want {
			t.Errorf("of %d: %v, %v", limit, got, err)
		}
	}
}

func sealAndVerify(t *testing.T, ctx context.Context, s Store, _ UnitOfWork) {
	if _, err := sealer(t, s, Keys()).Head(ctx, "acme"); !errors.Is(err, audit.ErrNoChain) {
		t.Errorf("a head of nothing: %v", err)
	}
	if r, err := audit.Verify(ctx, s, "acme", Keys(), nil); err != nil || !r.OK() {
		t.Errorf("an empty trail: %+v, %v", r, err)
	}
	for i := range 50 {
		e := entry(i)
		if i%5 == 0 {
			e.Tenant = "other"
		}
		must(t, s.Record(ctx, e))
	}
	if n := sealAll(t, ctx, s, 7); n != 50 {
		t.Errorf("%d sealed", n)
	}
	must(t, s.Record(ctx, entry(50)))
	head, err := sealer(t, s, Keys()).Head(ctx, "acme")
	must(t, err)
	for _, h := range []*audit.Head{nil, &head} {
		r, err := audit.Verify(ctx, s, "acme", Keys(), h)
		if err != nil || !r.OK() || r.Sealed != 40 || r.Unsealed != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	forged := head
	forged.Seq++
	if _, err := audit.Verify(ctx, s, "acme", Keys(), &forged); !errors.Is(err, audit.ErrBadHead) {
		t.Errorf("a forged head: %v", err)
	}
	if _, err := audit.Verify(ctx, s, "other", Keys(), &head); !errors.Is(err, audit.ErrBadHead) {
		t.Errorf("another tenant's head: %v", err)
	}
	got, err := s.List(ctx, "acme", audit.Filter{TargetID: "49"}, page.Request{})
	must(t, err)
	if len(got.Items) != 1 || got.Items[0].Seq != 40 {
		t.Errorf("%+v", got.Items)
	}
	wrong := Keys()
	wrong.Secrets["k1"] = slices.Repeat([]byte("x"), 32)
	if r, err := audit.Verify(ctx, s, "acme", wrong, nil); err != nil || r.OK() {
		t.Errorf("another key: %+v, %v", r, err)
	}
}

// lateCommit has an entry with an old id and time commit after younger ones were sealed.
func lateCommit(t *testing.T, ctx context.Context, s Store, _ UnitOfWork) {
	must(t, s.Record(ctx, entry(20), entry(21)))
	sealAll(t, ctx, s, 100)
	late := entry(0)
	late.ID = "0"
	must(t, s.Record(ctx, late))
	if n := sealAll(t, ctx, s, 100); n != 1 {
		t.Errorf("%d sealed", n)
	}
	if r, err := audit.Verify(ctx, s, "acme", Keys(), nil); err != nil || !r.OK() || r.Sealed != 3 || r.Unsealed != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func sealersTogether(t *testing.T, ctx context.Context, s Store, _ UnitOfWork) {
	const writers, each = 4, 40
	var wg, sealers sync.WaitGroup
	done := make(chan struct{})
	errs := make(chan error, writers+4)
	for range writers {
		wg.Go(func() {
			for i := range each {
				if err := s.Record(ctx, entry(i)); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for range 3 {
		sl := sealer(t, s, Keys())
		sealers.Go(func() {
			for {
				if _, err := sl.Sweep(ctx, 9); err != nil {
					errs <- err
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	wg.Wait()
	close(done)
	sealers.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	sealAll(t, ctx, s, 100)
	if r, err := audit.Verify(ctx, s, "acme", Keys(), nil); err != nil || !r.OK() || r.Sealed != writers*each || r.Unsealed != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func keyRotation(t *testing.T, ctx context.Context, s Store, _ UnitOfWork) {
	must(t, s.Record(ctx, entry(0), entry(1)))
	sealAll(t, ctx, s, 100)
	both := Keys()
	both.Current, both.Secrets["k2"] = "k2", slices.Repeat([]byte("2"), 40)
	must(t, s.Record(ctx, entry(2)))
	_, err := sealer(t, s, both).Sweep(ctx, 100)
	must(t, err)
	if r, err := audit.Verify(ctx, s, "acme", both, nil); err != nil || !r.OK() || r.Sealed != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	r, err := audit.Verify(ctx, s, "acme", Keys(), nil)
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Kind != audit.UnknownKey {
		t.Errorf("%+v, %v", r, err)
	}
}
