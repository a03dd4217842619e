package approval

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// The templates of the notices (seed 003 §6.3).
const (
	TemplateRequested = "approval.requested" // to the approvers
	TemplateReminder  = "approval.reminder"  // to the approvers
	TemplateChanged   = "approval.changed"   // to the approvers: what they were asked has changed
	TemplateApproved  = "approval.approved"  // to the requester and who acted for them
	TemplateRejected  = "approval.rejected"  // the same
	TemplateTimedOut  = "approval.timed_out" // the same, and the approvers
	TemplateWithdrawn = "approval.withdrawn" // to the approvers
	// TemplateOverridden tells the auditors that somebody decided in spite of a guard.
	TemplateOverridden = "approval.overridden"
)

// notices says who is to be told of the state that the request has just reached. The subject is the request's, so that
// the seven days' suppression works per booking and template, as seed 003 §6.3 has it.
func (s *Service) notices(ctx context.Context, r Request) ([]transport.Notice, error) {
	asking := []string{r.Requester}
	if r.ActedBy != "" {
		asking = append(asking, r.ActedBy)
	}
	switch r.Status {
	case Pending:
		return s.noticesToAsked(ctx, r, TemplateRequested)
	case Approved:
		return s.noticesTo(r, TemplateApproved, false, asking), nil
	case Rejected:
		return s.noticesTo(r, TemplateRejected, true, asking), nil
	case TimedOut:
		return s.noticesTo(r, TemplateTimedOut, true, slices.Concat(asking, r.Approvers())), nil
	case Withdrawn:
		return s.noticesTo(r, TemplateWithdrawn, false, r.Approvers()), nil
	case NotRequired: // never stored
	}
	return nil, nil
}

// noticesToAsked are for those who may decide now, and whoever may in their place.
func (s *Service) noticesToAsked(ctx context.Context, r Request, template string) ([]transport.Notice, error) {
	own, err := s.interested(ctx, r.Tenant, r.Requester, r.ActedBy)
	if err != nil {
		return nil, err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return nil, err
	}
	recipients := r.Deciders()
	standIns, err := s.standIns(ctx, r.Tenant, recipients, own, now)
	if err != nil {
		return nil, err
	}
	for _, approver := range r.Deciders() {
		for _, id := range standIns[approver] {
			if !slices.Contains(recipients, id) && !r.Decided(id) {
				recipients = append(recipients, id)
			}
		}
	}
	return s.noticesTo(r, template, true, recipients), nil
}

func (s *Service) notifyAsked(ctx context.Context, r Request, template string) error {
	notices, err := s.noticesToAsked(ctx, r, template)
	if err != nil {
		return err
	}
	return s.notify(ctx, notices)
}

// notifyOpened tells those who are asked in the step that has just opened. Whoever was asked about the subject before, in
// a step of the request or in another one, is asked for something else now: that is no repetition to be suppressed.
func (s *Service) notifyOpened(ctx context.Context, before, r Request) error {
	notices, err := s.noticesToAsked(ctx, r, TemplateRequested)
	if err != nil {
		return err
	}
	again, err := s.store.AskedSince(ctx, r.Tenant, r.Subject, r.CreatedAt.Add(-suppression), r.ID)
	if err != nil {
		return err
	}
	for i, n := range notices {
		if again || before.IsApprover(n.Recipient) {
			notices[i].Subject = unlike(r)
		}
	}
	return s.notify(ctx, notices)
}

// unlike is a subject of notices that none before has had.
func unlike(r Request) string { return fmt.Sprintf("%s/%s@%d", TargetKind, r.ID, r.Version) }

func (s *Service) noticesTo(r Request, template string, critical bool, recipients []string) []transport.Notice {
	notices := make([]transport.Notice, 0, len(recipients))
	for _, who := range recipients {
		if (identity.Principal{Actor: who}).IsSystem() {
			continue
		}
		data := map[string]any{
			"approval_id": r.ID, "subject_kind": r.Subject.Kind, "subject_id": r.Subject.ID, "flow_type": r.Flow,
			"requester_id": r.Requester, "acted_by": r.ActedBy, "summary": r.Summary, "explanation": r.Explanation,
			"expires_at": r.ExpiresAt.Format(time.RFC3339), "reason": "", "decided_by": "", "url": "",
			DecideURL: "",
		}
		if r.Outcome != nil {
			data["reason"], data["decided_by"] = r.Outcome.Reason, r.Outcome.By
		}
		if s.cfg.Link != nil {
			data["url"] = s.cfg.Link(r)
		}
		about := r.Subject.String()
		if template == TemplateChanged {
			about = unlike(r) // each change is told
		}
		notices = append(notices, transport.Notice{
			Template: template, Recipient: who, Subject: about, Data: data, Critical: critical, Tenant: r.Tenant,
		})
	}
	return notices
}

// Template is the wording of a notice: a subject line and a plain text, both in the syntax of text/template over the
// notice's Data. A sender that wants HTML escapes the text.
type Template struct {
	Subject string
	Text    string
}

const (
	what = "{{with .summary}}{{.}}{{else}}{{.subject_kind}} {{.subject_id}}{{end}}"
	why  = "{{range $i, $e := .explanation}}{{if $i}}; {{end}}{{$e}}{{end}}"
	who  = "{{.requester_id}}{{with .acted_by}} (代理 / by {{.}}){{end}}"
	link = "{{with .url}}\n{{.}}\n{{end}}"
	// decide is there only while the notice is being sent: see Service.Fill.
	decide = "{{with .decide_url}}\n決裁はこちら（本人専用・一度限り） / Decide here (for you alone, once):\n{{.}}\n{{end}}"
)

// Templates returns the wording of every notice by template name, each in Japanese and English: what it is about, who
// asks, until when, and what follows.
func Templates() map[string]Template {
	facts := "\n" + what + "\n申請者 / Requested by: " + who + "\n理由 / Why: " + why + "\n"
	return map[string]Template{
		TemplateRequested: {
			Subject: "[承認依頼] [Approval needed] " + what,
			Text: "承認をお願いします。 / Please approve or reject.\n" + facts + "期限 / Until: {{.expires_at}}\n" +
				"期限を過ぎると自動的に却下されます。 / Without a decision by then it is rejected automatically.\n" + decide + link,
		},
		TemplateReminder: {
			Subject: "[リマインド] [Reminder] " + what,
			Text: "まだ承認待ちです。 / This still waits for your decision.\n" + facts + "期限 / Until: {{.expires_at}}\n" +
				"期限を過ぎると自動的に却下されます。 / Without a decision by then it is rejected automatically.\n" + decide + link,
		},
		TemplateChanged: {
			Subject: "[変更] [Changed] " + what,
			Text: "承認をお願いした内容が変わりました。もう一度ご確認ください。 / What you were asked to approve has changed. Please look again.\n" + facts +
				"期限 / Until: {{.expires_at}}\n" + decide + link,
		},
		TemplateApproved: {
			Subject: "[承認] [Approved] " + what,
			Text:    "{{.decided_by}} が承認しました。 / Approved by {{.decided_by}}.\n" + facts + "{{with .reason}}コメント / Comment: {{.}}\n{{end}}" + link,
		},
		TemplateRejected: {
			Subject: "[却下] [Rejected] " + what,
			Text:    "{{.decided_by}} が却下しました。 / Rejected by {{.decided_by}}.\n却下理由 / Reason: {{.reason}}\n" + facts + link,
		},
		TemplateTimedOut: {
			Subject: "[期限切れ] [Timed out] " + what,
			Text: "期限 {{.expires_at}} までに決裁がなかったため、自動的に却下されました。 / " +
				"Rejected automatically: nobody decided by {{.expires_at}}.\n" + facts + link,
		},
		TemplateWithdrawn: {
			Subject: "[取り下げ] [Withdrawn] " + what,
			Text:    "申請は取り下げられました。対応は不要です。 / The request was withdrawn; nothing is left to do.\n" + facts + "{{with .reason}}理由 / Reason: {{.}}\n{{end}}" + link,
		},
		TemplateOverridden: {
			Subject: "[例外許可] [Override] " + what,
			Text: "{{.decided_by}} が条件未達のまま決裁しました（{{.action_key}}）。 / {{.decided_by}} decided ({{.action_key}}) though conditions were not met.\n" +
				"未達の条件 / Not met: {{range $i, $m := .missing}}{{if $i}}; {{end}}{{$m}}{{end}}\n例外理由 / Reason given: {{.reason}}\n" + facts + link,
		},
	}
}
