package approvalhttp

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/web"
)

//go:embed page.html.tmpl
var pageSource string

// Mux is where plain handlers go; *http.ServeMux is one.
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// RegisterLinks adds the pages behind the links of approval.Service.NewLink, at LinkPath, to mux, and describes them in
// the API. Put web.Server around the mux.
func RegisterLinks(api huma.API, mux Mux, svc *approval.Service) {
	p := &pages{svc: svc, page: web.NewGuestPage(pageSource)}
	mux.Handle("GET /approval-links/{token}", http.HandlerFunc(p.show))
	mux.Handle("POST /approval-links/{token}", http.HandlerFunc(p.act))
	documentLinks(api)
}

// LinkPath is the address of the page of a token, below the server's own.
func LinkPath(token string) string { return "/approval-links/" + token }

// pages answers whoever holds a link: nobody signs in.
type pages struct {
	svc  *approval.Service
	page *web.GuestPage
}

// linkView is what the page shows.
type linkView struct {
	Words                                                        words
	Title, Requester, Why, You, Deadline, Left, Outcome, Message string
	Open                                                         bool // the form is there
}

// show never changes anything: mail scanners follow links.
func (p *pages) show(w http.ResponseWriter, r *http.Request) {
	l, err := p.svc.OpenLink(r.Context(), r.PathValue("token"))
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	v := viewOfLink(wordsFor(r), l)
	p.page.Write(w, http.StatusOK, v)
}

// act decides and shows what became of it; as JSON for those who ask for that.
func (p *pages) act(w http.ResponseWriter, r *http.Request) {
	form, err := web.ReadForm(w, r)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	token := r.PathValue("token")
	done, err := p.svc.ActByLink(r.Context(), token, approval.Decision{Action: form.Get("action"), Reason: form.Get("reason")})
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	if web.WantsJSON(r) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(view(done, []approval.GuardState{})) // the client has gone
		return
	}
	l, err := p.svc.OpenLink(r.Context(), token)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	v := viewOfLink(wordsFor(r), l)
	v.Message, v.Open = v.Words.Recorded, false
	if done.Status == approval.Pending {
		v.Message += " " + v.Words.Waits
	}
	p.page.Write(w, http.StatusOK, v)
}

// refuse shows an error to a person in their language, with what the link is about, or as a problem to programs.
func (p *pages) refuse(w http.ResponseWriter, r *http.Request, err error) {
	problem := web.ProblemOf(err)
	if web.WantsJSON(r) || problem.Status >= http.StatusInternalServerError && !errors.Is(err, approval.ErrNoApprover) {
		web.WriteError(w, r, err) // with the cause in the log
		return
	}
	v := linkView{Words: wordsFor(r)}
	if l, lerr := p.svc.OpenLink(r.Context(), r.PathValue("token")); lerr == nil {
		v = viewOfLink(v.Words, l)
	}
	if v.Open || v.Message == "" {
		v.Message = v.Words.refused(err)
	}
	p.page.Write(w, problem.Status, v)
}

func viewOfLink(w words, l approval.Linked) linkView {
	v := linkView{Words: w, You: l.Person.Name, Open: l.Refusal == nil}
	if l.Refusal != nil {
		v.Message = w.refused(l.Refusal)
	}
	if l.ID == "" { // it does not concern them any more
		return v
	}
	name := func(id string) string {
		if n := l.Names[id]; n != "" {
			return n
		}
		return id
	}
	if v.Title = l.Summary; v.Title == "" {
		v.Title = l.Subject.String()
	}
	if v.Requester = name(l.Requester); l.ActedBy != "" {
		v.Requester = fmt.Sprintf(w.For, name(l.ActedBy), v.Requester)
	}
	zone, err := time.LoadLocation(l.Person.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	v.Why = strings.Join(l.Explanation, "; ")
	v.Deadline = l.ExpiresAt.In(zone).Format("2006-01-02 15:04 MST")
	if l.Status == approval.Pending {
		v.Left = w.left(l.ExpiresAt.Sub(l.Now))
		return v
	}
	v.Outcome = w.Ends[l.Status]
	if o := l.Request.Outcome; o != nil && !strings.HasPrefix(o.By, "system:") {
		v.Outcome += " " + fmt.Sprintf(w.By, name(o.By))
	}
	return v
}

// documentLinks describes the pages in OpenAPI.
func documentLinks(api huma.API) {
	text := &huma.Schema{Type: huma.TypeString}
	token := []*huma.Param{{Name: "token", In: "path", Required: true, Schema: text}}
	page := map[string]*huma.MediaType{"text/html": {Schema: text}}
	form := &huma.Schema{Type: huma.TypeObject, Required: []string{"action"}, Properties: map[string]*huma.Schema{
		"action": {Type: huma.TypeString, Enum: []any{approval.Approve, approval.Reject}}, "reason": text,
	}}
	answer := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Instance](), true, "Instance")
	api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "show-approval-link", Method: http.MethodGet, Path: "/approval-links/{token}", Tags: []string{"approval"},
		Summary: "The page behind a link in a mail; changes nothing", Parameters: token,
		Responses: map[string]*huma.Response{"200": {Description: "A page: the form, or what became of it", Content: page}},
	})
	api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "act-by-approval-link", Method: http.MethodPost, Path: "/approval-links/{token}", Tags: []string{"approval"},
		Summary: "Decide by a link, which is used up", Parameters: token,
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/x-www-form-urlencoded": {Schema: form}, "application/json": {Schema: form},
		}},
		Responses: map[string]*huma.Response{"200": {Description: "A page, or for programs the request", Content: map[string]*huma.MediaType{
			"text/html": {Schema: text}, "application/json": {Schema: answer},
		}}},
	})
}
