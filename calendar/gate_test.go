package calendar_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/foundation/page"
)

func large(emails ...string) calendar.NewEvent {
	in := meeting(time.Hour)
	in.Resources, in.Attendees = []string{"room-large"}, guests(emails...)
	return in
}

func TestConsent(t *testing.T) {
	each(t, true, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		free := create(t, r, "alice", meeting(0))
		if free.Status != calendar.Confirmed || free.ApprovalID != "" {
			t.Errorf("got %+v", free)
		}
		want(t, r.Confirm(t.Context(), calendartest.Tenant, free.ID), calendar.ErrNotPending)

		v := create(t, r, "alice", large("g@outside.example"))
		if v.Status != calendar.Pending || v.ApprovalID != "request-1" || !slices.Equal(v.ApprovalReasons, []string{"resource"}) {
			t.Errorf("got %+v", v)
		}
		wantSent(t, r)
		_, err := r.Create(t.Context(), by("bob"), large())
		want(t, err, calendar.ErrResourceConflict) // the slot is held; the gate in memory keeps request-2

		if _, err := r.Update(t.Context(), by("alice"), v.ID, 1, calendar.Patch{Title: new("Other")}); err != nil {
			t.Fatal(err)
		}
		if ev := get(t, r, v.ID); ev.ApprovalID != "request-1" || len(r.Gate.Withdrawn) != 0 {
			t.Errorf("a new title asked anew: %+v", ev)
		}
		if err := r.Confirm(t.Context(), calendartest.Tenant, v.ID); err != nil {
			t.Fatal(err)
		}
		wantSent(t, r, "REQUEST 0 g")
		for i, level := range []calendar.Visibility{calendar.Private, calendar.BusyOnly, calendar.Public} {
			v, err := r.Update(t.Context(), by("alice"), v.ID, 0, calendar.Patch{Visibility: &level})
			if err != nil || v.Status != calendar.Confirmed || len(r.Gate.Concealed) != min(i+1, 2) {
				t.Errorf("%s: %s, concealed %v, %v", level, v.Status, r.Gate.Concealed, err)
			}
			wantSent(t, r, "REQUEST 0 updated g")
		}

		// A new time asks again; the guest hears when it is certain.
		if _, err := r.Update(t.Context(), by("alice"), v.ID, 0, calendar.Patch{Start: new(v.Start.Add(-30 * time.Minute))}); err != nil {
			t.Fatal(err)
		}
		if ev := get(t, r, v.ID); ev.Status != calendar.Pending || ev.ApprovalID != "request-3" || ev.Sequence != 1 || !slices.Equal(r.Gate.Withdrawn, []string{"request-1"}) {
			t.Errorf("got %+v, withdrawn %v", ev, r.Gate.Withdrawn)
		}
		wantSent(t, r)
		if err := r.Confirm(t.Context(), calendartest.Tenant, v.ID); err != nil {
			t.Fatal(err)
		}
		wantSent(t, r, "REQUEST 2 updated g")

		// Ten attendees are another reason; then it is refused.
		ten := guests("g@outside.example")
		for i := range 9 {
			ten = append(ten, guests(fmt.Sprintf("n%d@outside.example", i))...)
		}
		if _, err := r.Update(t.Context(), by("alice"), v.ID, 0, calendar.Patch{Attendees: &ten}); err != nil {
			t.Fatal(err)
		}
		wantSent(t, r)
		if err := r.Release(t.Context(), calendartest.Tenant, v.ID, calendar.CauseRejected, "too many"); err != nil {
			t.Fatal(err)
		}
		wantSent(t, r, "CANCEL 4 g") // and nobody who was never invited
		ev := get(t, r, v.ID)
		if ev.Status != calendar.Cancelled || ev.Cause != calendar.CauseRejected || ev.CauseText != "too many" {
			t.Errorf("got %+v", ev)
		}
		create(t, r, "bob", large()) // the slot is free
	})
}

func TestConsentNoLongerNeeded(t *testing.T) {
	each(t, true, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		v := create(t, r, "alice", large("g@outside.example"))
		got, err := r.Update(t.Context(), by("alice"), v.ID, 1, calendar.Patch{Resources: &[]string{"room-a"}})
		if err != nil || got.Status != calendar.Confirmed || got.ApprovalID != "" || len(got.ApprovalReasons) != 0 {
			t.Errorf("got %+v, %v", got, err)
		}
		wantSent(t, r, "REQUEST 0 g")
		pending := create(t, r, "bob", large("h@outside.example"))
		if err := r.Cancel(t.Context(), by("bob"), pending.ID, 1); err != nil {
			t.Fatal(err)
		}
		wantSent(t, r)
		if !slices.Equal(r.Gate.Withdrawn, []string{"request-1", "request-2"}) {
			t.Errorf("withdrawn %v", r.Gate.Withdrawn)
		}
	})
}

// TestGateRollsBack: what the gate does, its transaction undoes.
func TestGateRollsBack(t *testing.T) {
	each(t, true, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		v := create(t, r, "alice", large("g@outside.example"))
		r.Log.Take()
		boom := errors.New("boom")
		err := r.DB.Do(t.Context(), func(ctx context.Context) error {
			if err := r.Release(ctx, calendartest.Tenant, v.ID, calendar.CauseTimedOut, ""); err != nil {
				return err
			}
			return boom
		})
		want(t, err, boom)
		if ev := get(t, r, v.ID); ev.Status != calendar.Pending || ev.Version != 1 {
			t.Errorf("got %+v", ev)
		}
		if events, entries := r.Log.Take(); len(events)+len(entries) != 0 {
			t.Errorf("left behind %v, %v", events, entries)
		}
		_, err = r.Create(t.Context(), by("bob"), large())
		want(t, err, calendar.ErrResourceConflict)
	})
}

func TestSecretary(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		exec, secretary := by("exec"), by("secretary")
		acting := secretary.For("exec")
		_, err := r.Create(t.Context(), acting, meeting(0))
		want(t, err, calendar.ErrNotDelegated)
		_, entries := r.Log.Take()
		if len(entries) != 1 || entries[0].Action != calendar.ActionDenied || entries[0].ActorID != "secretary" || entries[0].SubjectID != "exec" ||
			entries[0].Metadata["attempted"] != calendar.ActionCreate || entries[0].Metadata["is_proxy"] != true {
			t.Errorf("got %+v", entries)
		}

		r.Delegations[[2]string{"exec", "secretary"}] = []calendar.Permission{calendar.Edit}
		in := meeting(0)
		in.Attendees, in.Visibility = guests("g@outside.example"), calendar.Private
		v, err := r.Create(t.Context(), acting, in)
		if err != nil || v.OrganizerID != "exec" || v.CreatedBy != "secretary" {
			t.Fatalf("got %+v, %v", v, err)
		}
		events, entries := r.Log.Take()
		if letter, _ := events[1].Data.(calendar.Invitation); letter.ActedBy != "secretary@example.com" || letter.Event.OrganizerEmail != "exec@example.com" {
			t.Errorf("got %+v", letter)
		}
		if e := entries[0]; e.ActorID != "secretary" || e.SubjectID != "exec" || e.Metadata["is_proxy"] != true {
			t.Errorf("got %+v", e)
		}
		// EDIT is not READ_PRIVATE.
		_, err = r.Get(t.Context(), acting, v.ID)
		want(t, err, calendar.ErrNotFound)
		for name, p := range map[string]calendar.Patch{
			"visibility": {Visibility: new(calendar.Public)},
			"attendees":  {Attendees: new(guests("secretary@example.com"))},
			// These would tell by their refusal when the event is.
			"start only": {Start: new(v.Start.Add(10 * time.Minute))},
			"end only":   {End: new(v.Start.Add(-time.Minute))},
			"all day":    {AllDay: new(true)},
		} {
			r.Log.Take()
			_, err = r.Update(t.Context(), acting, v.ID, 0, p)
			want(t, err, calendar.ErrHiddenFields)
			_, entries := r.Log.Take()
			if len(entries) != 1 || entries[0].Action != calendar.ActionDenied || entries[0].TargetID != v.ID ||
				entries[0].Metadata["attempted"] != calendar.ActionUpdate || entries[0].Metadata["permission"] != string(calendar.ReadPrivate) {
				t.Errorf("%s: got %+v", name, entries)
			}
		}
		// A conflict would tell by its alternatives when the event is.
		rival := meeting(0)
		rival.Start, rival.End, rival.Resources = v.Start, v.End, []string{"room-a"}
		create(t, r, "bob", rival)
		_, err = r.Update(t.Context(), acting, v.ID, 0, calendar.Patch{Resources: new([]string{"room-a"})})
		var conflict *calendar.ResourceConflict
		if !errors.As(err, &conflict) || len(conflict.Alternatives) != 0 {
			t.Errorf("got %v, %+v", err, conflict)
		}
		if _, err := r.Update(t.Context(), exec, v.ID, 0, calendar.Patch{Resources: new([]string{"room-b"})}); err != nil {
			t.Fatal(err)
		}
		rival.Start, rival.End, rival.Resources = v.Start.Add(24*time.Hour), v.End.Add(24*time.Hour), []string{"room-b"}
		create(t, r, "bob", rival)
		_, err = r.Update(t.Context(), acting, v.ID, 0, calendar.Patch{Start: &rival.Start, End: &rival.End})
		if !errors.As(err, &conflict) || len(conflict.Alternatives) != 0 {
			t.Errorf("where the event is: %v, %+v", err, conflict)
		}
		_, err = r.Update(t.Context(), acting, v.ID, 0, calendar.Patch{Start: &rival.Start, End: &rival.End, Resources: new([]string{"room-b"})})
		if !errors.As(err, &conflict) || len(conflict.Alternatives) == 0 {
			t.Errorf("for what the delegate says themselves: %v, %+v", err, conflict)
		}
		moved, err := r.Update(t.Context(), acting, v.ID, 0, calendar.Patch{Start: new(v.Start.Add(10 * time.Minute)), End: new(v.End)})
		if err != nil || moved.Full || moved.ID != "" || !moved.Start.IsZero() || moved.Title != calendar.DefaultBusyTitle {
			t.Errorf("got %+v, %v", moved, err)
		}
		_, err = r.Respond(t.Context(), acting, v.ID, calendar.Response{Partstat: calendar.Accepted})
		want(t, err, calendar.ErrNotDelegated)

		r.Delegations[[2]string{"exec", "secretary"}] = []calendar.Permission{calendar.ReadPrivate}
		r.Log.Take()
		for _, p := range []struct {
			name string
			get  func() error
		}{
			{"acting", func() error { _, err := r.Get(t.Context(), acting, v.ID); return err }},
			{"as herself", func() error { _, err := r.Get(t.Context(), secretary, v.ID); return err }},
			{"in a list", func() error {
				list, err := r.List(t.Context(), acting, calendar.Filter{}, page.Request{})
				if len(list.Items) != 1 {
					t.Errorf("got %+v", list)
				}
				return err
			}},
		} {
			if err := p.get(); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
			_, entries := r.Log.Take()
			if len(entries) != 1 || entries[0].Action != calendar.ActionViewPrivate || entries[0].TargetID != v.ID || entries[0].SubjectID != "exec" ||
				entries[0].Metadata["is_proxy"] != true {
				t.Errorf("%s: got %+v", p.name, entries)
			}
		}
		want(t, r.Cancel(t.Context(), acting, v.ID, 0), calendar.ErrNotDelegated)
		if _, err := r.Get(t.Context(), exec, v.ID); err != nil {
			t.Error(err)
		}
		// Delegation is not transitive: who trusts exec does not trust the secretary.
		r.Delegations[[2]string{"alice", "exec"}] = []calendar.Permission{calendar.ReadPrivate}
		in = meeting(5 * time.Hour)
		in.Visibility = calendar.Private
		hers := create(t, r, "alice", in)
		if _, err := r.Get(t.Context(), exec, hers.ID); err != nil {
			t.Error(err)
		}
		_, err = r.Get(t.Context(), acting, hers.ID)
		want(t, err, calendar.ErrNotFound)
	})
}

func TestVersionsAndOwners(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		v := create(t, r, "alice", meeting(0))
		_, err := r.Update(t.Context(), by("alice"), v.ID, 9, calendar.Patch{})
		want(t, err, calendar.ErrVersionMismatch)
		_, err = r.Update(t.Context(), by("bob"), v.ID, 1, calendar.Patch{})
		want(t, err, calendar.ErrNotOrganizer)
		want(t, r.Cancel(t.Context(), by("bob"), v.ID, 1), calendar.ErrNotOrganizer)
		_, err = r.Update(t.Context(), by("alice"), v.ID, 1, calendar.Patch{Visibility: new(calendar.BusyOnly)})
		if err != nil {
			t.Fatal(err)
		}
		want(t, r.Cancel(t.Context(), by("bob"), v.ID, 1), calendar.ErrNotFound)
		stranger := by("alice")
		stranger.Tenant = "other"
		_, err = r.Get(t.Context(), stranger, v.ID)
		want(t, err, calendar.ErrNotFound)
		if err := r.Cancel(t.Context(), by("alice"), v.ID, 2); err != nil {
			t.Fatal(err)
		}
		_, err = r.Update(t.Context(), by("alice"), v.ID, 0, calendar.Patch{Title: new("x")})
		want(t, err, calendar.ErrCancelled)
		list, err := r.List(t.Context(), by("alice"), calendar.Filter{Status: calendar.Cancelled}, page.Request{})
		if err != nil || len(list.Items) != 1 || list.Items[0].Cause != calendar.CauseOrganizer {
			t.Errorf("got %+v, %v", list, err)
		}
	})
}

// TestOneOfManyChanges: of two who saw the same version, one wins.
func TestOneOfManyChanges(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		v := create(t, r, "alice", meeting(0))
		results := make(chan error)
		for i := range 8 {
			go func() {
				_, err := r.Update(t.Context(), by("alice"), v.ID, 1, calendar.Patch{Title: new(fmt.Sprint(i))})
				results <- err
			}()
		}
		won := 0
		for range 8 {
			switch err := <-results; {
			case err == nil:
				won++
			case !errors.Is(err, calendar.ErrVersionMismatch):
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d winners", won)
		}
	})
}
