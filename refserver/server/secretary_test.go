package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/refserver/server"
)

// TestSecretaryModeEndsAtTheCalendar: who keeps somebody's calendar neither decides in their name, nor sees what waits
// for their decision or what they are told. Outside of the calendar they are themselves, in spite of the header.
func TestSecretaryModeEndsAtTheCalendar(t *testing.T) {
	r := start(t, server.Config{})
	booked := r.book(t, "manager", object{"resource_ids": []string{"room-large"}}) // for exec to decide
	hidden := r.book(t, "exec", object{"visibility": "PRIVATE"})
	granted := r.call(t, "exec", http.MethodPost, "/delegations", object{"delegatee_id": "hr", "permissions": []string{"RESPOND"}})
	if granted.status != http.StatusCreated {
		t.Fatalf("delegation: %d %s", granted.status, granted.body)
	}
	asked, own := "/approval-instances/"+text(booked["approval_id"]), "/approval-instances/"+text(hidden["approval_id"])
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		says         string
	}{
		{http.MethodGet, "/events", nil, 200, "items"},
		{http.MethodGet, "/approval-instances?role=approver", nil, 200, `"items":[]`},
		{http.MethodGet, own, nil, 404, "not_found"},
		{http.MethodPost, own + "/act", object{"action": "approve"}, 403, "self_approval"}, // a delegate is one with the requester
		{http.MethodPost, own + "/cancel", object{"reason": "x"}, 404, "not_found"},
		{http.MethodPost, asked + "/act", object{"action": "approve"}, 403, "not_approver"},
		{http.MethodGet, "/notices", nil, 200, `"items":[]`},
	} {
		for _, user := range []string{"hr", "secretary"} {
			a := r.call(t, user, c.method, c.path, c.body, "X-Act-As-User: exec")
			if a.status != c.status || !strings.Contains(string(a.body), c.says) {
				t.Errorf("%s %s as %s: %d %s", c.method, c.path, user, a.status, a.body)
			}
		}
	}
	for _, path := range []string{asked, own} {
		if a := r.call(t, "admin", http.MethodGet, path, nil); !strings.Contains(string(a.body), `"status":"pending"`) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestOutboxShowsNames: a name outside of ASCII is readable on the page, not in its encoded form.
func TestOutboxShowsNames(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	s, err := server.New(ctx, server.Config{Listen: "127.0.0.1:0", Demo: true, DataDir: t.TempDir(), LogTo: &lockedLog{}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	r := rig{url: s.URL()}
	r.book(t, "alice", object{"resource_ids": []string{"room-large"}})
	await(t, ctx, func() bool {
		return strings.Contains(string(r.call(t, "", http.MethodGet, "/mail-outbox", nil).body), "<article>")
	})
	page := string(r.call(t, "", http.MethodGet, "/mail-outbox", nil).body)
	if !strings.Contains(page, "山本 直子 &lt;manager@example.com&gt;") || strings.Contains(page, "=?utf-8?") {
		t.Error(page)
	}
}
