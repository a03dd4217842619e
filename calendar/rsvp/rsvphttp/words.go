package rsvphttp

import (
	"net/http"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/web"
)

// words are the texts of the pages in one language.
type words struct {
	Lang, Heading, Answer, When, Where, Organizer, Guest, Comment, Send string
	Accept, Tentative, Decline                                          string
	Recorded, NotRecorded, Cancelled, NotInvited                        string
	Unknown, Expired, Revoked                                           string
	Days                                                                [7]string
}

func english() words {
	return words{
		Lang: "en", Heading: "Invitation", Answer: "Your answer", When: "When", Where: "Where", Organizer: "Organizer", Guest: "For",
		Comment: "Comment (optional)", Send: "Send answer",
		Accept: "Accept", Tentative: "Tentative", Decline: "Decline",
		Recorded: "Your answer was recorded:", NotRecorded: "Your answer could not be recorded.",
		Cancelled: "This event was cancelled.", NotInvited: "You are not on the list of this event any more.",
		Unknown: "This link is not valid.", Expired: "This link has expired.", Revoked: "This invitation was withdrawn.",
		Days: [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
	}
}

func japanese() words {
	return words{
		Lang: "ja", Heading: "招待", Answer: "あなたの回答", When: "日時", Where: "場所", Organizer: "主催者", Guest: "宛先",
		Comment: "コメント（任意）", Send: "回答を送信",
		Accept: "参加", Tentative: "仮承諾", Decline: "辞退",
		Recorded: "回答を記録しました：", NotRecorded: "回答を記録できませんでした。",
		Cancelled: "この予定は中止されました。", NotInvited: "この予定の参加者に含まれていません。",
		Unknown: "このリンクは無効です。", Expired: "このリンクの有効期限が切れています。", Revoked: "この招待は取り消されました。",
		Days: [7]string{"日", "月", "火", "水", "木", "金", "土"},
	}
}

// wordsFor takes the first of the two languages that the browser names.
func wordsFor(r *http.Request) words {
	if web.Language(r, "en", "ja") == "ja" {
		return japanese()
	}
	return english()
}

// label returns what an answer is called; "" for what is none.
func (w words) label(p calendar.Partstat) string {
	switch p {
	case calendar.Accepted:
		return w.Accept
	case calendar.Tentative:
		return w.Tentative
	case calendar.Declined:
		return w.Decline
	default:
		return ""
	}
}
