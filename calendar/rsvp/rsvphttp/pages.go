package rsvphttp

import (
	_ "embed"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/web"
)

//go:embed page.html.tmpl
var pageSource string

// pages answers guests, who have no account.
type pages struct {
	svc  Service
	page *web.GuestPage
}

func newPages(svc Service) *pages { return &pages{svc: svc, page: web.NewGuestPage(pageSource)} }

// view is what the page shows.
type view struct {
	Words      words
	Message    string // instead of the form, or above it
	Invitation *rsvp.Invitation
	When       string
	Choices    []choice // empty: no form
}

type choice struct {
	Value, Label string
	Chosen       bool
}

// show never changes anything.
func (p *pages) show(w http.ResponseWriter, r *http.Request) {
	v := view{Words: wordsFor(r)}
	inv, err := p.svc.Invitation(r.Context(), r.PathValue("token"))
	if err != nil {
		p.refuse(w, r, v, err)
		return
	}
	v.describe(inv)
	if inv.Cancelled {
		v.Message = v.Words.Cancelled
		p.page.Write(w, http.StatusOK, v)
		return
	}
	chosen := calendar.Partstat(strings.ToUpper(r.URL.Query().Get("answer")))
	if v.Words.label(chosen) == "" {
		chosen = inv.Partstat
	}
	for _, answer := range answers {
		v.Choices = append(v.Choices, choice{string(answer), v.Words.label(answer), answer == chosen})
	}
	p.page.Write(w, http.StatusOK, v)
}

var answers = [...]calendar.Partstat{calendar.Accepted, calendar.Tentative, calendar.Declined}

// answer records and shows what became of it; as JSON for those who ask for that.
func (p *pages) answer(w http.ResponseWriter, r *http.Request) {
	v := view{Words: wordsFor(r)}
	form, err := web.ReadForm(w, r)
	if err != nil {
		p.refuse(w, r, v, err)
		return
	}
	token := r.PathValue("token")
	partstat := calendar.Partstat(strings.ToUpper(form.Get("partstat")))
	out, err := p.svc.Answer(r.Context(), token, partstat, form.Get("comment"))
	if err != nil {
		p.refuse(w, r, v, err)
		return
	}
	if web.WantsJSON(r) {
		writeJSON(w, decisionOf(out))
		return
	}
	if inv, err := p.svc.Invitation(r.Context(), token); err == nil {
		v.describe(inv)
	}
	switch out.Decision {
	case rsvp.Applied:
		v.Message = v.Words.Recorded + " " + v.Words.label(out.Partstat)
	case rsvp.Cancelled:
		v.Message = v.Words.Cancelled
	case rsvp.NotInvited:
		v.Message = v.Words.NotInvited
	default:
		v.Message = v.Words.NotRecorded
	}
	p.page.Write(w, http.StatusOK, v)
}

// refuse shows an error to a guest in their language, or as a problem to programs.
func (p *pages) refuse(w http.ResponseWriter, r *http.Request, v view, err error) {
	if web.WantsJSON(r) {
		web.WriteError(w, r, err)
		return
	}
	status := http.StatusUnprocessableEntity
	switch {
	case errors.Is(err, rsvp.ErrToken):
		status, v.Message = http.StatusNotFound, v.Words.Unknown
	case errors.Is(err, rsvp.ErrExpired):
		status, v.Message = http.StatusGone, v.Words.Expired
	case errors.Is(err, rsvp.ErrRevoked):
		status, v.Message = http.StatusGone, v.Words.Revoked
	case fault.CodeOf(err) == fault.Invalid:
		v.Message = v.Words.NotRecorded
	default:
		web.WriteError(w, r, err) // with the cause in the log
		return
	}
	p.page.Write(w, status, v)
}

func (v *view) describe(inv rsvp.Invitation) {
	v.Invitation = &inv
	loc, err := time.LoadLocation(inv.TimeZone)
	if err != nil {
		loc = time.UTC
	}
	start, end := inv.Start.In(loc), inv.End.In(loc)
	day := func(t time.Time) string {
		return t.Format(time.DateOnly) + " (" + v.Words.Days[t.Weekday()] + ")"
	}
	from := "15:04"
	if start.Format("MST") != end.Format("MST") { // the clocks change meanwhile: 01:30 may come twice
		from += " (MST)"
	}
	switch {
	case inv.AllDay && day(start) == day(end.Add(-1)):
		v.When = day(start)
	case inv.AllDay:
		v.When = day(start) + " – " + day(end.Add(-1))
	case day(start) == day(end):
		v.When = day(start) + " " + start.Format(from) + " – " + end.Format("15:04 (MST)")
	default:
		v.When = day(start) + " " + start.Format(from) + " – " + day(end) + " " + end.Format("15:04 (MST)")
	}
}
