package approvalhttp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/web"
)

// words are the texts of the pages in one language.
type words struct {
	Lang, Heading, Requester, Why, You, Deadline, Outcome           string
	Decision, Approve, Reject, IfApproved, IfRejected, Reason, Send string
	IfSilent, Recorded, Waits, By, For, Left, Past                  string
	Unknown, Used, Decided, Expired, Stale, Denied, NeedReason      string
	NotYours, NotYet, Failed                                        string
	Ends                                                            map[approval.Status]string
}

func english() words {
	return words{
		Lang: "en", Heading: "Approval", Requester: "Requested by", Why: "Why", You: "Decided by you", Deadline: "Until", Outcome: "Outcome",
		Decision: "Your decision", Approve: "Approve", Reject: "Reject",
		IfApproved: "With the last consent that is needed it takes effect at once.", IfRejected: "It is called off, and whoever asked is told your reason.",
		Reason: "Reason (required to reject)", Send: "Send decision", IfSilent: "Without a decision by the deadline it is rejected automatically.",
		Recorded: "Your decision was recorded.", Waits: "It waits for others now.", By: "by %s", For: "%s, for %s", Left: "%s left", Past: "over",
		Unknown: "This link is not valid.", Used: "This link has been used already.", Decided: "It is decided already.",
		Expired: "The deadline has passed; it is rejected automatically.", Stale: "What was asked has changed since this link was sent. Please use the link in the newest message.",
		Denied: "It cannot be decided now; a condition is not met:", NeedReason: "A reason is required.", NotYours: "This is not yours to decide.",
		NotYet: "The steps before yours are not done.", Failed: "Your decision could not be recorded.",
		Ends: map[approval.Status]string{
			approval.Pending: "waits", approval.Approved: "approved", approval.Rejected: "rejected", approval.TimedOut: "timed out", approval.Withdrawn: "withdrawn",
		},
	}
}

func japanese() words {
	return words{
		Lang: "ja", Heading: "承認依頼", Requester: "申請者", Why: "理由", You: "決裁者（あなた）", Deadline: "期限", Outcome: "結果",
		Decision: "あなたの決裁", Approve: "承認する", Reject: "却下する",
		IfApproved: "必要な承認がそろうと、ただちに確定します。", IfRejected: "申請は取り止めになり、却下理由が申請者に伝わります。",
		Reason: "理由（却下の場合は必須）", Send: "決裁を送信", IfSilent: "期限までに決裁がない場合は、自動的に却下されます。",
		Recorded: "決裁を記録しました。", Waits: "ほかの承認者の決裁を待っています。", By: "%s による", For: "%s（%s の代理）", Left: "残り %s", Past: "終了",
		Unknown: "このリンクは無効です。", Used: "このリンクはすでに使用されています。", Decided: "すでに決裁されています。",
		Expired: "期限を過ぎたため、自動的に却下されます。", Stale: "このリンクの送信後に申請内容が変わりました。最新の通知のリンクをご利用ください。",
		Denied: "次の条件を満たしていないため、今は決裁できません：", NeedReason: "理由を入力してください。", NotYours: "あなたはこの申請の決裁者ではありません。",
		NotYet: "前の承認ステップが終わっていません。", Failed: "決裁を記録できませんでした。",
		Ends: map[approval.Status]string{
			approval.Pending: "承認待ち", approval.Approved: "承認", approval.Rejected: "却下", approval.TimedOut: "期限切れ", approval.Withdrawn: "取り下げ",
		},
	}
}

// wordsFor takes the first of the two languages that the browser names.
func wordsFor(r *http.Request) words {
	if web.Language(r, "en", "ja") == "ja" {
		return japanese()
	}
	return english()
}

// refused is what a refusal is called.
func (w words) refused(err error) string {
	for _, c := range []struct {
		is   error
		text string
	}{
		{approval.ErrLink, w.Unknown}, {approval.ErrLinkUsed, w.Used}, {approval.ErrDecided, w.Decided}, {approval.ErrExpired, w.Expired},
		{approval.ErrReasonRequired, w.NeedReason}, {approval.ErrNotYet, w.NotYet},
		{approval.ErrNotApprover, w.NotYours}, {approval.ErrSelfApproval, w.NotYours},
	} {
		if errors.Is(err, c.is) {
			return c.text
		}
	}
	if errors.Is(err, approval.ErrStaleContent) {
		changed, _ := fault.As(err).Details["changed"].([]string)
		return strings.TrimSpace(w.Stale + " " + strings.Join(changed, ", "))
	}
	if errors.Is(err, approval.ErrDenied) {
		return w.Denied + " " + strings.Join(missing(err), "; ")
	}
	return w.Failed
}

// missing are the conditions that are not met, by their stable names.
func missing(err error) []string {
	failures, _ := fault.As(err).Details["guardFailures"].([]approval.Failure)
	names := make([]string, len(failures))
	for i, f := range failures {
		names[i] = f.Type + " (" + f.Reason + ")"
	}
	return names
}

// left is the time until the deadline, in its two largest units.
func (w words) left(d time.Duration) string {
	if d <= 0 {
		return w.Past
	}
	minutes := int(d / time.Minute)
	parts := [3]string{"%d d %d h", "%d h %d min", "%d min"}
	if w.Lang == "ja" {
		parts = [3]string{"%d 日 %d 時間", "%d 時間 %d 分", "%d 分"}
	}
	switch {
	case minutes >= 24*60:
		return fmt.Sprintf(w.Left, fmt.Sprintf(parts[0], minutes/(24*60), minutes/60%24))
	case minutes >= 60:
		return fmt.Sprintf(w.Left, fmt.Sprintf(parts[1], minutes/60, minutes%60))
	}
	return fmt.Sprintf(w.Left, fmt.Sprintf(parts[2], minutes))
}
