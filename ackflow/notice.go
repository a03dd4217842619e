package ackflow

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// The templates of the notices.
const (
	TemplateRequested = "ackflow.requested" // to those who are asked, but for who asks
	TemplateEdited    = "ackflow.edited"    // to those whose acknowledgement is void now
	TemplateReminder  = "ackflow.reminder"  // to those who are missing
	TemplateStandIn   = "ackflow.stand_in"  // to the stand-ins and managers of those who are missing
	TemplateEscalated = "ackflow.escalated" // to those who were named for it, or the managers of those who are missing
	TemplateCompleted = "ackflow.completed" // to who asked
	TemplateCanceled  = "ackflow.canceled"  // to those who were missing
)

// excerpt is how much of a message a notice shows, in characters.
const excerpt = 300

// noticesTo makes a notice for each recipient. Its subject is the request, and the round where the same may have to be
// said again: a notifier that suppresses repetitions must not take the second reminder for one.
func (s *Service) noticesTo(r Request, m Message, template string, recipients []string) []transport.Notice {
	subject := TargetKind + "/" + r.ID
	switch template {
	case TemplateReminder, TemplateStandIn:
		subject += fmt.Sprint("/reminders/", r.Reminders)
	case TemplateEdited:
		subject += fmt.Sprint("/revisions/", r.Revision)
	case TemplateCompleted:
		subject += "/completions/" + r.CompletedAt.Format(time.RFC3339Nano)
	}
	notices := make([]transport.Notice, 0, len(recipients))
	for _, who := range recipients {
		if (identity.Principal{Actor: who}).IsSystem() {
			continue
		}
		notices = append(notices, transport.Notice{
			Template: template, Recipient: who, Subject: subject, Critical: template == TemplateEscalated, Tenant: r.Tenant,
			Data: s.noticeData(r, m),
		})
	}
	return notices
}

func (s *Service) noticeData(r Request, m Message) map[string]any {
	data := map[string]any{
		"request_id": r.ID, "message_id": r.MessageID, "room_id": r.Room, "created_by": r.CreatedBy, "body": shorten(m.Body),
		"due_at": "", "required": r.Required, "missing": r.Missing, "missing_ids": []string{}, "reason": r.CancelReason, "url": "",
	}
	if !r.DueAt.IsZero() {
		data["due_at"] = r.DueAt.Format(time.RFC3339)
	}
	if m.ID != "" {
		data["url"] = s.URL(m)
	}
	return data
}

// Fill makes what a notice of this package must not say as it was stored: its body is what the message says now, and nothing
// once that is deleted. For other packages' there is nothing to add. A sender calls it right before it sends.
func (s *Service) Fill(ctx context.Context, n transport.Notice) (map[string]any, error) {
	if _, ours := Templates()[n.Template]; !ours {
		return nil, nil
	}
	id, _ := n.Data["message_id"].(string)
	m, err := s.store.Message(ctx, n.Tenant, id)
	if err != nil && !isGone(err) {
		return nil, err
	}
	body := ""
	if err == nil && m.DeletedAt.IsZero() {
		body = shorten(m.Body)
	}
	return map[string]any{"body": body}, nil
}

// URL returns where a message is shown: its own address or the one of Config.Link; "" when nobody knows.
func (s *Service) URL(m Message) string {
	if m.URL == "" && s.cfg.Link != nil {
		return s.cfg.Link(m)
	}
	return m.URL
}

func shorten(body string) string {
	if utf8.RuneCountInString(body) <= excerpt {
		return body
	}
	return string([]rune(body)[:excerpt]) + "…"
}

// NoticeTemplate is the wording of a notice: a subject line and a plain text, both in the syntax of text/template over the
// notice's Data. A sender that wants HTML escapes the text.
type NoticeTemplate struct {
	Subject string
	Text    string
	// Informational notices obey the quiet hours and digests of their recipients; the others, above all escalations, do not.
	Informational bool
}

const (
	about   = "{{with .body}}\n{{.}}\n{{end}}"
	asker   = "依頼者 / Requested by: {{.created_by}}\n"
	until   = "{{with .due_at}}期限 / Until: {{.}}\n{{end}}"
	lacking = "未確認 / Missing: {{.missing}} / {{.required}}{{range $i, $p := .missing_ids}}{{if $i}}, {{else}}: {{end}}{{$p}}{{end}}\n"
	link    = "{{with .url}}\n{{.}}\n{{end}}"
)

// Templates returns the wording of every notice by template name, each in Japanese and English.
func Templates() map[string]NoticeTemplate {
	return map[string]NoticeTemplate{
		TemplateRequested: {
			Subject: "[確認依頼] [Please acknowledge] {{.room_id}}",
			Text:    "内容を読んで確認してください。 / Please read and acknowledge.\n" + about + asker + until + link,
		},
		TemplateEdited: {
			Subject: "[再確認] [Acknowledge again] {{.room_id}}",
			Text: "メッセージが変更されたため、前回の確認は無効になりました。もう一度確認してください。 / " +
				"The message was edited, so your acknowledgement is void. Please acknowledge again.\n" + about + asker + until + link,
		},
		TemplateReminder: {
			Subject: "[リマインド] [Reminder] {{.room_id}}", Informational: true,
			Text: "まだ確認されていません。 / You have not acknowledged this yet.\n" + about + asker + until + link,
		},
		TemplateStandIn: {
			Subject: "[リマインド] [Reminder] {{.room_id}}", Informational: true,
			Text: "あなたが代理または上長である人がまだ確認していません。 / " +
				"People for whom you stand in, or whom you lead, have not acknowledged this yet.\n" + about + asker + until + lacking + link,
		},
		TemplateEscalated: {
			Subject: "[エスカレーション] [Escalation] {{.room_id}}",
			Text:    "期限を過ぎても確認が完了していません。 / This is past its time and still not acknowledged by all.\n" + about + asker + until + lacking + link,
		},
		TemplateCompleted: {
			Subject: "[確認完了] [Acknowledged by all] {{.room_id}}", Informational: true,
			Text: "全員が確認しました。 / Everybody has acknowledged this.\n" + about + link,
		},
		TemplateCanceled: {
			Subject: "[取り消し] [Canceled] {{.room_id}}", Informational: true,
			Text: "確認依頼は取り消されました。対応は不要です。 / The request was canceled; nothing is left to do.\n" + about + asker +
				"{{with .reason}}理由 / Reason: {{.}}\n{{end}}" + link,
		},
	}
}
