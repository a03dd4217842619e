package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/chat/chattest"
	"github.com/renkei-go/renkei/transport/chat/slack"
	"github.com/renkei-go/renkei/transport/chat/teams"
	"github.com/renkei-go/renkei/transport/mail"
	"github.com/renkei-go/renkei/transport/mail/mailtest"
	"github.com/renkei-go/renkei/transport/notify"
)

// TestMail goes the whole way to a real SMTP server, through its failures.
func TestMail(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		sink, err := mailtest.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = sink.Close() }()
		sender, err := mail.NewSMTP(mail.Config{URL: sink.URL, From: "renkei@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(t, db, map[string]notify.Channel{"mail": notify.Mail(sender, "example.com")})
		sink.Set(mailtest.Drop) // it has arrived, but we cannot know
		s.notify(ctx, t, notice("alice"))
		s.drain(ctx, t)
		sink.Set(mailtest.Accept)
		db.AdvanceClock(time.Minute)
		s.drain(ctx, t)
		got := sink.Messages()
		if len(got) != 2 || s.states(ctx, t) != "sent" {
			t.Fatalf("%d mails, %s", len(got), s.states(ctx, t))
		}
		var ids []string
		for _, m := range got {
			parsed, err := netmail.ReadMessage(bytes.NewReader(m.Data))
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Header.Get("Bcc") != "" {
				t.Error("injected")
			}
			ids = append(ids, parsed.Header.Get("Message-ID"))
		}
		if want := "<notice." + s.all(ctx, t)[0].ID + "@example.com>"; ids[0] != want || ids[1] != want {
			t.Errorf("Message-IDs %v, want %s twice", ids, want)
		}
		sink.Set(mailtest.Reject)
		s.notify(ctx, t, notice("bob"))
		s.drain(ctx, t)
		if r := s.all(ctx, t)[1]; r.State != notify.Dead || len(r.Attempts) != 1 || strings.Contains(r.LastError, "bob@") {
			t.Errorf("%+v", r)
		}
	})
}

// TestChat goes the whole way to chat tools, through their limits and failures, and back to mail.
func TestChat(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		workspace, err := chattest.StartSlack(ctx, chattest.SlackConfig{Now: db.Clock})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = workspace.Close() }()
		workspace.AddUser("UALICE", "alice@example.com")
		workflow, err := chattest.StartTeams(ctx, chattest.TeamsConfig{Now: db.Clock})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = workflow.Close() }()
		client := &http.Client{Timeout: time.Minute}
		app, err1 := slack.New(slack.Config{Token: secret.NewString(workspace.Token), URL: workspace.URL, Client: client, Now: db.Clock, Patience: -1})
		hook, err2 := teams.New(teams.Config{URL: secret.NewString(workflow.URL), Client: client, Now: db.Clock, Patience: -1})
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		mail := &fake{}
		s := newSite(t, db, map[string]notify.Channel{"slack": notify.Chat(app), "teams": notify.Chat(hook), "mail": mail})
		for _, who := range []string{"alice", "bob"} {
			s.set(ctx, t, who, notify.Settings{Channels: []string{"slack", "teams", "mail"}})
		}
		s.notify(ctx, t, info("alice", "a"), info("alice", "b"), info("bob", "c"))
		s.drain(ctx, t)
		for range 3 { // Slack takes one message a second: the second waits, and that is no attempt
			db.AdvanceClock(time.Second)
			s.drain(ctx, t)
		}
		got := s.byTitle(ctx, t)
		for _, title := range []string{"a", "b"} {
			if r := got[title]; r.State != notify.Sent || r.Channel != "slack" || len(r.Attempts) != 1 {
				t.Errorf("%+v", r)
			}
		}
		if r := got["c"]; r.State != notify.Sent || r.Channel != "teams" || len(r.Attempts) != 2 {
			t.Errorf("who is not in Slack: %+v", r)
		}
		if m := workspace.Messages(); len(m) != 2 || m[0].Channel != "DUALICE" || m[0].ID == "" {
			t.Errorf("%+v", m)
		}
		if m := workflow.Messages(); len(m) != 1 || strings.Join(m[0].Texts, " / ") != "c / → Bob / c;" {
			t.Errorf("%+v", m)
		}
		workspace.Throttle("chat.postMessage", 30*time.Minute)
		s.notify(ctx, t, info("alice", "d"))
		s.drain(ctx, t)
		db.AdvanceClock(29 * time.Minute)
		s.drain(ctx, t)
		if r := s.byTitle(ctx, t)["d"]; r.State != notify.Pending || len(r.Attempts) != 1 {
			t.Errorf("before its Retry-After: %+v", r)
		}
		db.AdvanceClock(time.Minute)
		s.drain(ctx, t)
		if r := s.byTitle(ctx, t)["d"]; r.State != notify.Sent || r.Channel != "slack" {
			t.Errorf("after its Retry-After: %+v", r)
		}
		workspace.Fail("chat.postMessage", "account_inactive")
		workflow.Fail(http.StatusGone, 0)
		s.notify(ctx, t, info("alice", "e"))
		db.AdvanceClock(time.Second)
		s.drain(ctx, t)
		if r := s.byTitle(ctx, t)["e"]; r.State != notify.Sent || r.Channel != "mail" || len(r.Attempts) != 3 || strings.Contains(fmt.Sprint(r.Attempts), "sig=") {
			t.Errorf("%+v", r)
		}
	})
}
