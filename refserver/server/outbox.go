package server

import (
	"embed"
	"html/template"
	"net/http"
	netmail "net/mail"

	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport/mail"
)

//go:embed outbox.html.tmpl
var outboxFile embed.FS

// readable is an address with its name as people read it, not as a header encodes it.
func readable(address string) string {
	a, err := netmail.ParseAddress(address)
	if err != nil || a.Name == "" {
		return address
	}
	return a.Name + " <" + a.Address + ">"
}

// outboxPages shows the mails that were "sent" while no SMTP server is set: a list, and each as a file that a mail
// program opens. In the demo everybody on the machine may look, else administrators.
func (s *Server) outboxPages(mux *http.ServeMux, authenticate web.Authenticator) {
	pages := template.Must(template.New("outbox.html.tmpl").Funcs(template.FuncMap{"readable": readable}).ParseFS(outboxFile, "outbox.html.tmpl"))
	guard := func(show http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !s.cfg.Demo {
				by, err := authenticate(r.Context(), web.FromHTTP(r))
				if err == nil && !by.HasRole(roleAdmin) {
					err = errAdminOnly
				}
				if err != nil {
					web.WriteError(w, r, err)
					return
				}
			}
			show(w, r)
		}
	}
	mux.HandleFunc("GET /mail-outbox", guard(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
		if err := pages.Execute(w, s.outbox.Messages()); err != nil {
			s.log.Error("mail outbox", "error", err)
		}
	}))
	mux.HandleFunc("GET /mail-outbox/{id}", guard(func(w http.ResponseWriter, r *http.Request) {
		message, err := s.outbox.Message(r.PathValue("id"))
		var raw []byte
		if err == nil {
			raw, err = mail.Render(message)
		}
		if err != nil {
			web.WriteError(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "message/rfc822")
		w.Header().Set("Content-Disposition", `attachment; filename="mail.eml"`)
		_, _ = w.Write(raw)
	}))
}
