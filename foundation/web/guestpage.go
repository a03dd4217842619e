package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/renkei-go/renkei/foundation/fault"
)

//go:embed page.css
var pageStyle string

// GuestPage is an HTML page for people without an account, at an address that is itself the credential: the page behind a
// button in a mail. It needs no script, loads nothing, sends forms to its own site only, and leaves its address nowhere.
// It is safe for concurrent use.
type GuestPage struct {
	template *template.Template
	policy   string
}

// NewGuestPage parses a page (html/template), whose function style gives the house's stylesheet: <style>{{style}}</style>.
// It panics when the source does not parse, as it is part of the program.
func NewGuestPage(source string) *GuestPage {
	sum := sha256.Sum256([]byte(pageStyle))
	style := template.FuncMap{"style": func() template.CSS { return template.CSS(pageStyle) }} //nolint:gosec // the embedded stylesheet
	return &GuestPage{
		template: template.Must(template.New("page").Funcs(style).Parse(source)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	}
}

// Write answers with the page.
func (p *GuestPage) Write(w http.ResponseWriter, status int, view any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address is a credential
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	_ = p.template.Execute(w, view) // the client has gone: the template fits the view
}

// maxForm is the longest form that a page sends, in bytes.
const maxForm = 64 << 10

// ErrMalformedForm is the fault of a form that cannot be read.
var ErrMalformedForm = fault.New(fault.Invalid, "malformed_form", "the form cannot be read")

// ReadForm reads the form that a page sent, or a flat JSON object of strings for the same from a program. It returns
// ErrBodyTooLarge over 64 KiB, or ErrMalformedForm.
func ReadForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	var err error
	form := url.Values{}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		var members map[string]string
		err = json.NewDecoder(r.Body).Decode(&members)
		for name, value := range members {
			form.Set(name, value)
		}
	} else if err = r.ParseForm(); err == nil {
		form = r.PostForm
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, ErrBodyTooLarge
	}
	if err != nil {
		return nil, ErrMalformedForm.Because(err)
	}
	return form, nil
}

// WantsJSON says whether a program asks, and not a browser.
func WantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// Language returns the first of the languages (ISO 639: "en", "ja") that Accept-Language names; without one of them, the
// first of ours.
func Language(r *http.Request, ours ...string) string {
	for tag := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		primary, _, _ := strings.Cut(strings.TrimSpace(tag), "-")
		primary, _, _ = strings.Cut(primary, ";")
		if i := slices.Index(ours, strings.ToLower(primary)); i >= 0 {
			return ours[i]
		}
	}
	return ours[0]
}
