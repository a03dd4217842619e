package webhooktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/webhook"
)

// Store is what is tested.
type Store interface {
	webhook.Store
	webhook.Log
}

var (
	at    = time.Date(2030, 1, 15, 10, 0, 0, 0, time.UTC)
	scope = webhook.Scope{Tenant: "acme", Kind: "webhook"}
)

// Run runs the suite. open gives an empty store.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, ctx context.Context, s Store)
	}{
		{"stores and changes", stores}, {"isolates scopes", isolates}, {"numbers are given once", numbers}, {"pages", pages},
		{"caps", caps}, {"transactions", transactions}, {"changes follow each other", concurrent}, {"notes", notes}, {"log", log},
	} {
		t.Run(part.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			part.run(t, ctx, open(t))
		})
	}
}

func sub(id string) webhook.Stored {
	return webhook.Stored{
		Subscription: webhook.Subscription{
			ID: id, Tenant: scope.Tenant, URL: "https://" + id + ".example.com/hook?x=1", Events: []string{"person.*", "order.paid"},
			Description: "給与システム", Owner: "key-1", CreatedBy: "alice", CreatedAt: at, UpdatedAt: at,
			SecretUntil: at.Add(time.Hour),
		},
		Kind: scope.Kind, Sealed: "s1.k.sealed",
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func insert(t *testing.T, ctx context.Context, s Store, st webhook.Stored) webhook.Stored {
	t.Helper()
	n, err := s.Insert(ctx, st, 1000)
	check(t, err)
	st.Number = n
	return st
}

func same(t *testing.T, got, want webhook.Stored) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Fatalf("got  %s\nwant %s", g, w)
	}
}

func stores(t *testing.T, ctx context.Context, s Store) {
	want := insert(t, ctx, s, sub("a"))
	got, err := s.Get(ctx, scope, "a")
	check(t, err)
	same(t, got, want)
	want.URL, want.Events, want.Description, want.Owner = "https://other.example.com/", []string{"*"}, "", "key-2"
	want.Sealed, want.SecretUntil, want.UpdatedAt = "s1.k.other", time.Time{}, at.Add(time.Minute)
	changed := want
	changed.CreatedBy, changed.Number, changed.Headers = "mallory", 99, map[string]secret.String{"X": secret.NewString("in the clear")}
	check(t, s.Update(ctx, changed))
	if got, err = s.Get(ctx, scope, "a"); err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	other := sub("b")
	other.Tenant = "other"
	insert(t, ctx, s, other)
	foreign := sub("c")
	foreign.Kind = "other"
	insert(t, ctx, s, foreign)
	for after, ids := range map[string]string{"": "[a b]", "a": "[b]", "b": "[]"} {
		found, err := s.Scan(ctx, scope.Kind, after, 5)
		check(t, err)
		got := []string{}
		for _, st := range found {
			got = append(got, st.ID)
		}
		if fmt.Sprint(got) != ids {
			t.Errorf("after %q: %v", after, got)
		}
	}
	if found, err := s.Scan(ctx, scope.Kind, "", 1); err != nil || len(found) != 1 {
		t.Errorf("%d, %v", len(found), err)
	}
	check(t, s.Delete(ctx, scope, "a"))
	for _, err := range []error{s.Delete(ctx, scope, "a"), s.Update(ctx, want), second(s.Get(ctx, scope, "a"))} {
		if !errors.Is(err, webhook.ErrUnknown) {
			t.Errorf("of one that is gone: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func isolates(t *testing.T, ctx context.Context, s Store) {
	insert(t, ctx, s, sub("a"))
	for _, other := range []webhook.Scope{{Tenant: "other", Kind: scope.Kind}, {Tenant: scope.Tenant, Kind: "other"}} {
		foreign := sub("a")
		foreign.Tenant, foreign.Kind = other.Tenant, other.Kind
		for what, err := range map[string]error{
			"Get": second(s.Get(ctx, other, "a")), "Update": s.Update(ctx, foreign), "Delete": s.Delete(ctx, other, "a"),
		} {
			if !errors.Is(err, webhook.ErrUnknown) {
				t.Errorf("%s from %v: %v", what, other, err)
			}
		}
		check(t, s.Note(ctx, []webhook.Outcome{{Scope: other, ID: "a", FailedAt: at}}))
		all, err := s.All(ctx, other)
		check(t, err)
		cut, err := s.List(ctx, other, webhook.Filter{}, page.Request{})
		check(t, err)
		if len(all)+len(cut.Items) != 0 {
			t.Errorf("%v sees %d and %d", other, len(all), len(cut.Items))
		}
	}
	if got, err := s.Get(ctx, scope, "a"); err != nil || !got.LastFailureAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func numbers(t *testing.T, ctx context.Context, s Store) {
	if a, b := insert(t, ctx, s, sub("a")), insert(t, ctx, s, sub("b")); a.Number != 1 || b.Number != 2 {
		t.Fatalf("got %d and %d", a.Number, b.Number)
	}
	check(t, s.Delete(ctx, scope, "b"))
	if c := insert(t, ctx, s, sub("c")); c.Number != 3 {
		t.Errorf("after a deletion: %d", c.Number)
	}
	other := sub("d")
	other.Tenant = "other"
	if d := insert(t, ctx, s, other); d.Number != 1 {
		t.Errorf("in another scope: %d", d.Number)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := s.Insert(ctx, sub(fmt.Sprintf("p%d", i)), 1000); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := s.All(ctx, scope)
	check(t, err)
	for i := 1; i < len(all); i++ {
		if all[i].Number <= all[i-1].Number {
			t.Fatalf("out of order or twice: %d after %d", all[i].Number, all[i-1].Number)
		}
	}
	if len(all) != 22 {
		t.Errorf("%d", len(all))
	}
}

func pages(t *testing.T, ctx context.Context, s Store) {
	for i := range 5 {
		st := sub(fmt.Sprintf("s%d", i))
		st.Owner = []string{"even", "odd"}[i%2]
		insert(t, ctx, s, st)
	}
	var seen []string
	for p := (page.Request{Limit: 2}); ; {
		cut, err := s.List(ctx, scope, webhook.Filter{}, p)
		check(t, err)
		for _, st := range cut.Items {
			seen = append(seen, st.ID)
		}
		if p.Cursor = cut.Next; p.Cursor == "" {
			break
		}
	}
	if !slices.Equal(seen, []string{"s0", "s1", "s2", "s3", "s4"}) {
		t.Errorf("%v", seen)
	}
	for f, want := range map[webhook.Filter]int{
		{Owner: "odd"}: 2, {URL: sub("s3").URL}: 1, {Number: 2}: 1, {Number: 2, Owner: "even"}: 0, {URL: "https://none.example/"}: 0,
	} {
		cut, err := s.List(ctx, scope, f, page.Request{})
		if err != nil || len(cut.Items) != want {
			t.Errorf("%+v: %d, %v", f, len(cut.Items), err)
		}
	}
	if _, err := s.List(ctx, scope, webhook.Filter{}, page.Request{Cursor: "nonsense"}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("%v", err)
	}
}

func caps(t *testing.T, ctx context.Context, s Store) {
	for i := range 3 {
		_, err := s.Insert(ctx, sub(fmt.Sprint(i)), 2)
		if errors.Is(err, webhook.ErrTooMany) != (i == 2) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

var errStop = errors.New("stop")

func transactions(t *testing.T, ctx context.Context, s Store) {
	told := false
	err := s.Do(ctx, func(ctx context.Context) error {
		s.AfterCommit(ctx, func() { told = true })
		insert(t, ctx, s, sub("a"))
		check(t, s.Append(ctx, events(1)))
		if _, err := s.Get(ctx, scope, "a"); err != nil {
			t.Errorf("inside: %v", err)
		}
		return errStop
	})
	all, allErr := s.All(ctx, scope)
	check(t, allErr)
	if !errors.Is(err, errStop) || len(all) != 0 || told || len(since(t, ctx, s, "acme", time.Time{})) != 0 {
		t.Errorf("%v, %d left, told %t", err, len(all), told)
	}
	check(t, s.Do(ctx, func(ctx context.Context) error {
		s.AfterCommit(ctx, func() { told = true })
		if told {
			t.Error("told before the commit")
		}
		return nil
	}))
	if !told {
		t.Error("not told after the commit")
	}
}

func concurrent(t *testing.T, ctx context.Context, s Store) {
	st := sub("a")
	st.Description = ""
	insert(t, ctx, s, st)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			err := s.Do(ctx, func(ctx context.Context) error {
				st, err := s.Get(ctx, scope, "a")
				if err != nil {
					return err
				}
				st.Description += "x"
				return s.Update(ctx, st)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Get(ctx, scope, "a")
	check(t, err)
	if len(got.Description) != 10 {
		t.Errorf("%d changes are left of 10", len(got.Description))
	}
}

func notes(t *testing.T, ctx context.Context, s Store) {
	insert(t, ctx, s, sub("a"))
	check(t, s.Note(ctx, []webhook.Outcome{{Scope: scope, ID: "a", SucceededAt: at}, {Scope: scope, ID: "gone", SucceededAt: at}}))
	check(t, s.Note(ctx, []webhook.Outcome{{Scope: scope, ID: "a", FailedAt: at.Add(time.Hour)}}))
	got, err := s.Get(ctx, scope, "a")
	check(t, err)
	if !got.LastSuccessAt.Equal(at) || !got.LastFailureAt.Equal(at.Add(time.Hour)) {
		t.Errorf("%v, %v", got.LastSuccessAt, got.LastFailureAt)
	}
}

func events(n int) []transport.Event {
	out := make([]transport.Event, n)
	for i := range out {
		out[i] = transport.Event{
			ID: fmt.Sprintf("e%04d", i), Tenant: "acme", Type: "person.updated", Subject: "person/1", Time: at.Add(time.Duration(i/2) * time.Second),
			Data: json.RawMessage(`{"a":1, "b":"é"}`),
		}
	}
	return out
}

func since(t *testing.T, ctx context.Context, s Store, tenant identity.TenantID, from time.Time) []transport.Event {
	t.Helper()
	var out []transport.Event
	for ev, err := range s.Since(ctx, tenant, from) {
		check(t, err)
		out = append(out, ev)
	}
	return out
}

func log(t *testing.T, ctx context.Context, s Store) {
	const n = 501 // several pages, with equal times at their borders
	all := events(n)
	check(t, s.Append(ctx, all))
	check(t, s.Append(ctx, all[:3])) // again: nothing new
	check(t, s.Append(ctx, nil))
	foreign := events(1)
	foreign[0].Tenant = "other"
	check(t, s.Append(ctx, foreign))
	got := since(t, ctx, s, "acme", time.Time{})
	if len(got) != n {
		t.Fatalf("%d", len(got))
	}
	for i, ev := range got {
		if want := all[i]; ev.ID != want.ID || !ev.Time.Equal(want.Time) || ev.Type != want.Type || ev.Subject != want.Subject || ev.Tenant != "acme" {
			t.Fatalf("%d: %+v", i, ev)
		}
	}
	if raw, err := got[0].JSON(); err != nil || string(raw) != `{"a":1, "b":"é"}` {
		t.Errorf("%s, %v", raw, err)
	}
	if late := since(t, ctx, s, "acme", all[n-3].Time); len(late) != 3 {
		t.Errorf("since the last but one second: %d", len(late))
	}
	if other := since(t, ctx, s, "other", time.Time{}); len(other) != 1 {
		t.Errorf("another tenant: %d", len(other))
	}
	for _, err := range s.Since(ctx, "acme", time.Time{}) {
		check(t, err)
		break // leaving early is allowed
	}
	check(t, s.Forget(ctx, "acme", "person/2", at.Add(time.Hour)))
	check(t, s.Forget(ctx, "acme", "person/1", at)) // half-open: the first two happened at that very time
	if got := since(t, ctx, s, "acme", time.Time{}); len(got) != n {
		t.Errorf("forgot %d of nobody's", n-len(got))
	}
	check(t, s.Forget(ctx, "other", "person/1", at.Add(time.Second)))
	if got, other := since(t, ctx, s, "acme", time.Time{}), since(t, ctx, s, "other", time.Time{}); len(got) != n || len(other) != 0 {
		t.Errorf("%d are left, %d of the other tenant's", len(got), len(other))
	}
	check(t, s.Append(ctx, foreign))
	for _, want := range []int{3, 2, 0} { // four of ours and the other's are old
		if pruned, err := s.PruneLog(ctx, at.Add(2*time.Second), 3); err != nil || pruned != want {
			t.Errorf("pruned %d, %v, want %d", pruned, err, want)
		}
	}
}
