package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
)

// Text that PostgreSQL cannot store, and SQLite stores but cuts, is refused here, before anything has happened.

func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func (m *middleware) addressText(ctx huma.Context, next func(huma.Context)) {
	if err := checkAddress(ctx.URL()); err != nil {
		ProblemOf(err).write(ctx)
		return
	}
	next(ctx)
}

func checkAddress(u url.URL) error {
	if !isText(u.Path) {
		return ErrInvalidText.WithField("path", "must be valid UTF-8 without NUL")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fault.InvalidField("query", "must be a form-encoded query")
	}
	for name, values := range query {
		if !isText(name) {
			return ErrInvalidText.WithField("query", "must be valid UTF-8 without NUL")
		}
		for _, v := range values {
			if !isText(v) {
				return ErrInvalidText.WithField(shorten("query."+name), "must be valid UTF-8 without NUL")
			}
		}
	}
	return nil
}

// inner embeds a huma.Context without a field named Context, which would hide its method.
type inner huma.Context

// withBody is a context whose body has been read.
type withBody struct {
	inner
	body []byte
}

func (c *withBody) BodyReader() io.Reader { return bytes.NewReader(c.body) }

// SetReadDeadline does nothing: there is nothing left to read.
func (c *withBody) SetReadDeadline(time.Time) error { return nil }

// Unwrap lets an adapter find its own context.
func (c *withBody) Unwrap() huma.Context { return c.inner }

// bodyOf returns the body that readBody has read.
func bodyOf(ctx huma.Context) []byte {
	for {
		if c, ok := ctx.(*withBody); ok {
			return c.body
		}
		u, ok := ctx.(interface{ Unwrap() huma.Context })
		if !ok {
			return nil
		}
		ctx = u.Unwrap()
	}
}

// readBody reads the body once for everybody: its size, its type, its text, its hash. Forms with files are left to
// huma, which keeps large ones on disk.
func (m *middleware) readBody(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	mediaType, _, typeErr := mime.ParseMediaType(ctx.Header("Content-Type"))
	if op.RequestBody == nil || mediaType == "multipart/form-data" && op.RequestBody.Content[mediaType] != nil {
		next(ctx)
		return
	}
	body, err := readAll(ctx, op)
	switch {
	case err != nil:
	case len(body) == 0:
		if op.RequestBody.Required {
			err = fault.InvalidField("body", "is required")
		}
	case typeErr != nil || !accepts(op, mediaType):
		err = ErrMediaType
	case isJSON(mediaType):
		err = CheckJSON(body)
	}
	if err != nil {
		ProblemOf(err).write(ctx)
		return
	}
	// The body is read. Its deadline would not stop anybody any more but the request: net/http cancels the context when it
	// passes, however far the work is.
	_ = ctx.SetReadDeadline(time.Time{}) // not every adapter can
	next(&withBody{inner: ctx, body: body})
}

func readAll(ctx huma.Context, op *huma.Operation) ([]byte, error) {
	reader := ctx.BodyReader()
	if reader == nil {
		return nil, nil
	}
	switch {
	case op.BodyReadTimeout > 0:
		_ = ctx.SetReadDeadline(time.Now().Add(op.BodyReadTimeout))
	case op.BodyReadTimeout < 0:
		_ = ctx.SetReadDeadline(time.Time{})
	}
	if op.MaxBodyBytes > 0 {
		reader = io.LimitReader(reader, op.MaxBodyBytes)
	}
	body, err := io.ReadAll(reader)
	var tooLarge *http.MaxBytesError
	var netErr net.Error
	switch {
	case errors.As(err, &tooLarge), op.MaxBodyBytes > 0 && int64(len(body)) >= op.MaxBodyBytes:
		return nil, ErrBodyTooLarge.With("max_bytes", max(op.MaxBodyBytes-1, 0))
	case errors.As(err, &netErr) && netErr.Timeout():
		return nil, ErrBodyTimeout
	case err != nil:
		return nil, fault.InvalidField("body", "could not be read to its end").Because(err)
	}
	return body, nil
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

func accepts(op *huma.Operation, mediaType string) bool {
	content := op.RequestBody.Content
	if content[mediaType] != nil || content["application/octet-stream"] != nil || content["*/*"] != nil {
		return true
	}
	return isJSON(mediaType) && content["application/json"] != nil
}

// CheckJSON is what Use checks of JSON bodies, for plain handlers. It returns ErrMalformedJSON, or ErrInvalidText when a string holds NUL, bytes that are no UTF-8 or half a
// surrogate pair, which encoding/json would silently replace.
func CheckJSON(body []byte) error {
	if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 {
		return ErrInvalidText.WithField("body", "must be valid UTF-8 without NUL")
	}
	if !json.Valid(body) {
		return ErrMalformedJSON
	}
	if !badEscape(body) {
		return nil
	}
	location := "body"
	var v any
	if json.Unmarshal(body, &v) == nil {
		if found, ok := findNUL(v, "body"); ok {
			location = shorten(found)
		}
	}
	return ErrInvalidText.WithField(location, "must be valid UTF-8 without NUL")
}

// badEscape finds \u0000 and halves of surrogate pairs in valid JSON, where a backslash stands in strings only.
func badEscape(body []byte) bool {
	for {
		i := bytes.IndexByte(body, '\\')
		if i < 0 {
			return false
		}
		if body[i+1] != 'u' {
			body = body[i+2:]
			continue
		}
		r := escape(body[i:])
		body = body[i+6:]
		switch {
		case r == 0:
			return true
		case utf16.IsSurrogate(r):
			if len(body) < 6 || body[0] != '\\' || body[1] != 'u' || utf16.DecodeRune(r, escape(body)) == utf8.RuneError {
				return true
			}
			body = body[6:]
		}
	}
}

func escape(b []byte) rune {
	n, _ := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n)
}

// findNUL returns where a string with NUL is.
func findNUL(v any, at string) (string, bool) {
	switch v := v.(type) {
	case string:
		return at, strings.IndexByte(v, 0) >= 0
	case []any:
		for i, item := range v {
			if found, ok := findNUL(item, at+"["+strconv.Itoa(i)+"]"); ok {
				return found, true
			}
		}
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if strings.IndexByte(name, 0) >= 0 {
				return at, true
			}
			if found, ok := findNUL(v[name], at+"."+name); ok {
				return found, true
			}
		}
	}
	return "", false
}
