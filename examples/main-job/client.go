package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// client calls the server as one of the demo company's people.
type client struct {
	base  string
	user  string // demo user
	actAs string // whom the user acts for, in secretary mode
}

func (c client) as(user string) client     { return client{base: c.base, user: user} }
func (c client) actingFor(u string) client { c.actAs = u; return c } //nolint:unparam // the story says for whom

// answer is a status and a body that may be JSON.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// get finds a value by a dotted path with numeric indexes, e.g. "attendees.0.email"; nil when it is not there.
func (a answer) get(path string) any {
	var v any
	if json.Unmarshal(a.body, &v) != nil {
		return nil
	}
	for key := range strings.SplitSeq(path, ".") {
		switch t := v.(type) {
		case map[string]any:
			v = t[key]
		case []any:
			var i int
			if _, err := fmt.Sscanf(key, "%d", &i); err != nil || i >= len(t) {
				return nil
			}
			v = t[i]
		default:
			return nil
		}
	}
	return v
}

// text is get as a string.
func (a answer) text(path string) string {
	s, _ := a.get(path).(string)
	return s
}

// size is the number of elements of the list at path.
func (a answer) size(path string) int {
	l, _ := a.get(path).([]any)
	return len(l)
}

// call sends a request; headers come as "Name: value".
func (c client) call(ctx context.Context, method, path string, body any, headers ...string) (answer, error) {
	var reader io.Reader
	contentType := ""
	switch b := body.(type) {
	case nil:
	case []byte:
		reader, contentType = bytes.NewReader(b), "message/rfc822"
	case string:
		reader, contentType = strings.NewReader(b), "application/x-www-form-urlencoded"
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		reader, contentType = bytes.NewReader(raw), "application/json"
	}
	url := path
	if strings.HasPrefix(path, "/") {
		url = c.base + path
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.user != "" {
		req.Header.Set("Authorization", "Bearer demo-"+c.user)
	}
	if c.actAs != "" {
		req.Header.Set("X-Act-As-User", c.actAs)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		return answer{}, err
	}
	return answer{status: res.StatusCode, header: res.Header, body: raw}, nil
}
