package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

const guest = "guest@outside.example"

// story holds what one step learns and a later one needs.
type story struct {
	out    io.Writer
	server client
	sink   mailbox
	steps  int
	start  time.Time // of the booking

	event   string // id
	request string // of the approval
	invite  invitation
}

// mailbox is where the server's mail arrives.
type mailbox interface {
	// Next waits for a mail to the address whose subject contains the text, and returns it raw. A mail is returned once.
	Next(ctx context.Context, to, subject string) ([]byte, error)
	// Count returns how many mails the address has got in all.
	Count(to string) int
}

func (s *story) play(ctx context.Context) error {
	for _, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"the secretary books the large room for the executive, with a guest from outside", s.book},
		{"the room is held while the booking waits: another booking is answered with alternatives", s.held},
		{"the approver is told by mail", s.approverTold},
		{"nobody decides on their own request, nor does a bystander", s.fourEyes},
		{"the approver reads the explanation and approves", s.approve},
		{"the guest gets a real invitation by SMTP", s.invitation},
		{"the guest's reply mail is recorded, once, and a forged one is not", s.reply},
		{"the button in the mail opens a page, and only its form answers", s.button},
		{"everybody sees only what they may", s.privacy},
		{"a booking that nobody decides on is reminded of and then given up", s.timeout},
		{"the audit trail says who did what for whom", s.audit},
	} {
		s.steps++
		fmt.Fprintf(s.out, "%2d. %s\n", s.steps, step.title)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("step %d (%s): %w", s.steps, step.title, err)
		}
	}
	return nil
}

func (s *story) sayf(format string, args ...any) { fmt.Fprintf(s.out, "    "+format+"\n", args...) }

// want calls the server and checks the status.
func (s *story) want(ctx context.Context, status int, who client, method, path string, body any, headers ...string) (answer, error) {
	a, err := who.call(ctx, method, path, body, headers...)
	if err == nil && a.status != status {
		err = fmt.Errorf("%s %s as %s: status %d, want %d: %s", method, path, who.user, a.status, status, a.body)
	}
	return a, err
}

// same fails unless the two print alike.
func same(what string, got, want any) error {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type object = map[string]any

func (s *story) booking(title, resource string, start time.Time) object {
	return object{"title": title, "start_at": start.Format(time.RFC3339), "end_at": start.Add(time.Hour).Format(time.RFC3339),
		"time_zone": "Asia/Tokyo", "visibility": "BUSY_ONLY", "resource_ids": []string{resource}}
}

func (s *story) book(ctx context.Context) error {
	body := s.booking("役員会 \"Q4\"; budget, review", "room-large", s.start)
	body["location"], body["description"] = "本社", "Figures for the quarter"
	body["attendees"] = []object{{"email": guest, "name": "Guest, Outside"}, {"email": "bob@example.com"}}
	a, err := s.want(ctx, 201, s.server.as("secretary").actingFor("exec"), "POST", "/events", body, "Idempotency-Key: board-meeting")
	if err != nil {
		return err
	}
	s.event, s.request = a.text("id"), a.text("approval_id")
	again, err := s.want(ctx, 201, s.server.as("secretary").actingFor("exec"), "POST", "/events", body, "Idempotency-Key: board-meeting")
	if err != nil {
		return err
	}
	s.sayf("event %s is %s; reasons %v", s.event, a.text("status"), a.get("approval_reasons"))
	_, err = s.want(ctx, 403, s.server.as("bob").actingFor("exec"), "POST", "/events", body)
	return first(err,
		same("the status", a.text("status"), "PENDING"),
		same("the reasons", a.get("approval_reasons"), "[executive resource]"),
		same("the organizer", a.text("organizer.user_id"), "exec"),
		same("the creator", a.text("created_by"), "secretary"),
		same("the booking sent twice under one key", again.text("id"), s.event))
}

func (s *story) held(ctx context.Context) error {
	a, err := s.want(ctx, 409, s.server.as("alice"), "POST", "/events", s.booking("Team lunch", "room-large", s.start.Add(30*time.Minute)))
	if err != nil {
		return err
	}
	s.sayf("%s, %d alternatives, the first %s at %s", a.text("reason"), a.size("details.alternatives"),
		a.text("details.alternatives.0.resource_id"), a.text("details.alternatives.0.start_at"))
	if strings.Contains(string(a.body), s.event) || strings.Contains(string(a.body), "役員会") {
		return fmt.Errorf("the conflict names the hidden event: %s", a.body)
	}
	if a.size("details.alternatives") == 0 {
		return fmt.Errorf("no alternatives: %s", a.body)
	}
	return first(same("the reason", a.text("reason"), "resource_conflict"), same("mails to the guest so far", s.sink.Count(guest), 0))
}

func (s *story) approverTold(ctx context.Context) error {
	if _, err := s.sink.Next(ctx, "mgmt@example.com", "[Approval needed]"); err != nil {
		return err
	}
	s.sayf("mgmt@example.com was asked: the executive has no manager, so the fallback group decides")
	return nil
}

func (s *story) fourEyes(ctx context.Context) error {
	act := "/approval-instances/" + s.request + "/act"
	approve := object{"action": "approve"}
	for who, want := range map[client]string{
		s.server.as("exec"):                        "self_approval",
		s.server.as("secretary"):                   "self_approval",
		s.server.as("secretary").actingFor("exec"): "self_approval",
		s.server.as("bob"):                         "not_approver",
	} {
		a, err := s.want(ctx, 403, who, "POST", act, approve)
		if err := first(err, same("the reason for "+who.user, a.text("reason"), want)); err != nil {
			return err
		}
	}
	a, err := s.want(ctx, 400, s.server.as("mgmt"), "POST", act, object{"action": "reject"})
	return first(err, same("a rejection without words", a.text("reason"), "REASON_REQUIRED"))
}

func (s *story) approve(ctx context.Context) error {
	mgmt := s.server.as("mgmt")
	list, err := s.want(ctx, 200, mgmt, "GET", "/approval-instances?role=approver&status=pending", nil)
	if err := first(err, same("the inbox", list.size("items"), 1), same("the request", list.text("items.0.id"), s.request)); err != nil {
		return err
	}
	a, err := s.want(ctx, 200, mgmt, "GET", "/approval-instances/"+s.request, nil)
	if err != nil {
		return err
	}
	s.sayf("explanation: %v; decide before %s", a.get("explanation"), a.text("expires_at"))
	act := "/approval-instances/" + s.request + "/act"
	stale, err := s.want(ctx, 409, mgmt, "POST", act, object{"action": "approve", "content_hash": strings.Repeat("0", 64)})
	if err := first(err, same("another content", stale.text("reason"), "STALE_CONTENT")); err != nil {
		return err
	}
	decision := object{"action": "approve", "content_hash": a.text("content_hash")}
	done, err := s.want(ctx, 200, mgmt, "POST", act, decision, "Idempotency-Key: yes-1")
	if err := first(err, same("the outcome", done.text("status"), "approved")); err != nil {
		return err
	}
	if _, err := s.want(ctx, 200, mgmt, "POST", act, decision, "Idempotency-Key: yes-1"); err != nil {
		return err
	}
	late, err := s.want(ctx, 409, mgmt, "POST", act, decision)
	if err := first(err, same("a second decision", late.text("reason"), "already_decided")); err != nil {
		return err
	}
	ev, err := s.want(ctx, 200, s.server.as("exec"), "GET", "/events/"+s.event, nil)
	return first(err, same("the event", ev.text("status"), "CONFIRMED"))
}

func (s *story) invitation(ctx context.Context) error {
	raw, err := s.sink.Next(ctx, guest, "[Invitation]")
	if err != nil {
		return err
	}
	if s.invite, err = readInvitation(raw); err != nil {
		return err
	}
	in := s.invite
	s.sayf("%s", in.subject)
	s.sayf("%s", in.line("ORGANIZER"))
	if !strings.Contains(in.line("ORGANIZER"), `SENT-BY="mailto:secretary@example.com"`) {
		return fmt.Errorf("ORGANIZER does not name the secretary: %s", in.line("ORGANIZER"))
	}
	if !strings.Contains(in.replyTo, "invite-reply+") || in.button() == "" || !in.attached || !strings.Contains(in.calendar, "BEGIN:VTIMEZONE") {
		return fmt.Errorf("the invitation is not whole: Reply-To %q, button %q, attachment %t", in.replyTo, in.button(), in.attached)
	}
	return first(
		same("METHOD", in.value("METHOD"), "REQUEST"),
		same("the organizer", strings.ToLower(in.value("ORGANIZER")), "mailto:exec@example.com"),
		same("Auto-Submitted", in.autoSubmitted, "auto-generated"),
		same("mails to the guest", s.sink.Count(guest), 1))
}

func (s *story) reply(ctx context.Context) error {
	inbound := func(raw []byte) (answer, error) {
		return s.want(ctx, 200, s.server, "POST", "/rsvp/inbound", raw, "Authorization: Bearer demo-inbound")
	}
	at := time.Now().Truncate(time.Second)
	raw, err := s.invite.reply(guest, "ACCEPTED", at)
	if err != nil {
		return err
	}
	if _, err := s.want(ctx, 401, s.server, "POST", "/rsvp/inbound", raw); err != nil {
		return err
	}
	forged, err := inbound(replyMail(guest, "invite-reply@example.com", s.invite.value("UID"), "0", "DECLINED", at))
	if err := first(err, same("a mail that proves nothing", forged.text("decision"), "unverified")); err != nil {
		return err
	}
	for _, want := range []string{"applied", "duplicate"} {
		a, err := inbound(raw)
		if err := first(err, same("the decision", a.text("decision"), want)); err != nil {
			return err
		}
	}
	s.sayf("ACCEPTED by mail: applied once; the same mail again: duplicate; a mail without proof: unverified")
	ledger, err := s.want(ctx, 200, s.server.as("exec"), "GET", "/events/"+s.event+"/replies", nil)
	return first(err, same("rows in the ledger", ledger.size("items"), 3), s.answered(ctx, "ACCEPTED"))
}

// answered checks the guest's answer as the executive sees it.
func (s *story) answered(ctx context.Context, partstat string) error {
	ev, err := s.want(ctx, 200, s.server.as("exec"), "GET", "/events/"+s.event, nil)
	if err != nil {
		return err
	}
	for i := range ev.size("attendees") {
		if at := fmt.Sprintf("attendees.%d.", i); ev.text(at+"email") == guest {
			return same("the guest's answer", ev.text(at+"partstat"), partstat)
		}
	}
	return fmt.Errorf("the guest is not among the attendees")
}

func (s *story) button(ctx context.Context) error {
	page, err := s.want(ctx, 200, client{}, "GET", s.invite.button(), nil)
	if err != nil {
		return err
	}
	if !strings.Contains(string(page.body), "<form") {
		return fmt.Errorf("the page has no form: %s", page.body)
	}
	if err := s.answered(ctx, "ACCEPTED"); err != nil {
		return fmt.Errorf("opening the page changed something: %w", err)
	}
	link, _, _ := strings.Cut(s.invite.button(), "?")
	if _, err := s.want(ctx, 200, client{}, "POST", link, "partstat=TENTATIVE"); err != nil {
		return err
	}
	s.sayf("GET changed nothing; POST recorded TENTATIVE")
	return s.answered(ctx, "TENTATIVE")
}

func (s *story) privacy(ctx context.Context) error {
	window := fmt.Sprintf("from=%s&to=%s", s.start.Add(-24*time.Hour).UTC().Format(time.RFC3339), s.start.Add(24*time.Hour).UTC().Format(time.RFC3339))
	path := "/events?owner=exec&" + window
	private := s.booking("Doctor", "room-b", s.start.Add(4*time.Hour))
	private["visibility"], private["resource_ids"] = "PRIVATE", []string{}
	if _, err := s.want(ctx, 201, s.server.as("secretary").actingFor("exec"), "POST", "/events", private); err != nil {
		return err
	}
	for _, see := range []struct {
		who     client
		items   int
		details bool
	}{
		{s.server.as("exec"), 2, true},
		{s.server.as("secretary").actingFor("exec"), 2, true},
		{s.server.as("bob"), 1, true}, // invited to the first
		{s.server.as("alice"), 1, false},
		{s.server.as("manager"), 1, false},
	} {
		a, err := s.want(ctx, 200, see.who, "GET", path, nil)
		if err := first(err, same("what "+see.who.user+" sees", a.size("items"), see.items)); err != nil {
			return fmt.Errorf("%w: %s", err, a.body)
		}
		body := string(a.body)
		if strings.Contains(body, "役員会") != see.details {
			return fmt.Errorf("%s sees the title: %t, want %t: %s", see.who.user, !see.details, see.details, body)
		}
		if !see.details {
			for _, hidden := range []string{s.event, "Doctor", guest, "本社"} {
				if strings.Contains(body, hidden) {
					return fmt.Errorf("%s sees %q: %s", see.who.user, hidden, body)
				}
			}
			s.sayf("%s sees only: %s", see.who.user, strings.TrimSpace(body))
		}
	}
	hidden, err := s.want(ctx, 404, s.server.as("alice"), "GET", "/events/"+s.event, nil)
	if err != nil {
		return err
	}
	unknown, err := s.want(ctx, 404, s.server.as("alice"), "GET", "/events/0197aaaa-0000-7000-8000-000000000000", nil)
	return first(err, same("the answer for a hidden event", hidden.text("reason"), unknown.text("reason")))
}

func (s *story) timeout(ctx context.Context) error {
	start := s.start.Add(20 * 24 * time.Hour)
	a, err := s.want(ctx, 201, s.server.as("alice"), "POST", "/events", s.booking("Study group", "room-large", start))
	if err != nil {
		return err
	}
	if _, err := s.sink.Next(ctx, "manager@example.com", "[Approval needed]"); err != nil {
		return err
	}
	admin := s.server.as("admin")
	if _, err := s.want(ctx, 200, admin, "POST", "/demo/clock", object{"advance": "25h"}); err != nil {
		return err
	}
	if _, err := s.sink.Next(ctx, "manager@example.com", "[Reminder]"); err != nil {
		return err
	}
	if _, err := s.want(ctx, 200, admin, "POST", "/demo/clock", object{"advance": "24h"}); err != nil {
		return err
	}
	if _, err := s.sink.Next(ctx, "alice@example.com", "[Timed out]"); err != nil {
		return err
	}
	request, err := s.want(ctx, 200, s.server.as("alice"), "GET", "/approval-instances/"+a.text("approval_id"), nil)
	if err := first(err, same("the request", request.text("status"), "timed_out")); err != nil {
		return err
	}
	ev, err := s.want(ctx, 200, s.server.as("alice"), "GET", "/events/"+a.text("id"), nil)
	if err := first(err, same("the event", ev.text("status"), "CANCELLED")); err != nil {
		return err
	}
	s.sayf("reminded after 24 h, given up after 48 h; the room is free again")
	_, err = s.want(ctx, 201, s.server.as("bob"), "POST", "/events", s.booking("Workshop", "room-large", start))
	return err
}

func (s *story) audit(ctx context.Context) error {
	a, err := s.want(ctx, 200, s.server.as("admin"), "GET", "/audit?target_id="+s.event+"&action=CREATE_EVENT", nil)
	if err != nil {
		return err
	}
	s.sayf("actor %s, subject %s, is_proxy %v", a.text("items.0.actor_id"), a.text("items.0.subject_id"), a.get("items.0.metadata.is_proxy"))
	if err := first(same("the actor", a.text("items.0.actor_id"), "secretary"), same("the subject", a.text("items.0.subject_id"), "exec"),
		same("is_proxy", a.get("items.0.metadata.is_proxy"), true)); err != nil {
		return err
	}
	machine, err := s.want(ctx, 200, s.server.as("admin"), "GET", "/audit?actor_id=system:timeout", nil)
	if err := first(err, same("acts of system:timeout", machine.size("items") > 0, true)); err != nil {
		return err
	}
	none, err := s.want(ctx, 200, s.server.as("alice"), "GET", "/audit?target_id="+s.event, nil)
	return first(err, same("what alice sees of it", none.size("items"), 0))
}
