package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"strings"
	"text/template"
	"unicode"
)

// Template says what a notice says. The three texts are Go templates (text/template; html/template for HTML) over the
// notice's data as JSON gives it back: .Data.title, with .Recipient (identity.Person), .Subject and .ID beside it. A
// member that is missing from the data shows as nothing.
type Template struct {
	Subject string // one line; required
	Text    string // required
	HTML    string // optional

	// Informational says that nobody has to act on it soon: it waits for the end of the recipient's quiet hours and for
	// their digest, unless the notice is Critical or sent again by hand.
	Informational bool
}

// Content is a template filled in.
type Content struct{ Subject, Text, HTML string }

// compiled is a Template that has been parsed.
type compiled struct {
	subject, text *template.Template
	html          *htmltemplate.Template
	informational bool
}

func compile(name string, t Template) (compiled, error) {
	if t.Subject == "" || t.Text == "" {
		return compiled{}, fmt.Errorf("template %q lacks a Subject or Text", name)
	}
	subject, err1 := template.New(name).Parse(t.Subject)
	text, err2 := template.New(name).Parse(t.Text)
	html, err3 := htmltemplate.New(name).Parse(t.HTML)
	if err := errors.Join(err1, err2, err3); err != nil {
		return compiled{}, fmt.Errorf("template %q: %w", name, err)
	}
	return compiled{subject, text, html, t.Informational}, nil
}

// noValue is what text/template writes for a missing member; its option missingkey=zero does the same for maps of any.
const noValue = "<no value>"

func (c compiled) fill(data any) (Content, error) {
	var subject, text, html bytes.Buffer
	err := errors.Join(c.subject.Execute(&subject, data), c.text.Execute(&text, data), c.html.Execute(&html, data))
	if err != nil {
		return Content{}, err
	}
	oneLine := func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}
	return Content{
		Subject: strings.TrimSpace(strings.Map(oneLine, strings.ReplaceAll(subject.String(), noValue, ""))),
		Text:    strings.ReplaceAll(text.String(), noValue, ""),
		HTML:    html.String(),
	}, nil
}

// plain turns stored data into what templates see.
func plain(raw json.RawMessage) (map[string]any, error) {
	data := map[string]any{}
	if len(raw) == 0 {
		return data, nil
	}
	err := json.Unmarshal(raw, &data)
	return data, err
}
