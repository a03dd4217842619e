package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/refserver/server"
)

// start runs the reference server with the demo company and returns its address.
func start(t *testing.T) string {
	t.Helper()
	srv, err := server.New(t.Context(), server.Config{Listen: "127.0.0.1:0", Demo: true, DataDir: t.TempDir(), LogLevel: "error"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-srv.Ready()
	return srv.URL()
}

// call sends a request as the demo's administrator and returns a member of the answer.
func call(t *testing.T, method, url string, body any, member string) any {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer demo-admin"}, "Content-Type": {"application/json"}, "If-Match": {"*"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %s, %v", method, url, resp.StatusCode, text, err)
	}
	var answer map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatal(err)
		}
	}
	return answer[member]
}

// TestPull: everybody at first, then what has changed, and everybody again when the cursor has expired. What the key may
// not read does not come.
func TestPull(t *testing.T) {
	url, file := start(t), filepath.Join(t.TempDir(), "employees.json")
	key := fmt.Sprint(call(t, http.MethodPost, url+"/api/api-keys", map[string]any{"name": "hr", "system_type": "hr"}, "key"))
	pull := func(want string) copied {
		t.Helper()
		var out strings.Builder
		err := run(t.Context(), []string{"-url", url, "-file", file}, func(string) string { return key }, &out)
		if err != nil || out.String() != want+"\n" {
			t.Fatalf("%q, %v, want %q", out.String(), err, want)
		}
		have, err := puller{file: file}.load()
		if err != nil {
			t.Fatal(err)
		}
		return have
	}
	for id, e := range pull("everybody, 8 employees").Employees {
		if e.Number == "" || e.Name == "" || e.Start != "2024-04-01" || e.Position == "" || e.Grade != "" || e.Left {
			t.Errorf("%d: %+v", id, e)
		}
	}
	pull("0 changes, 8 employees")
	id := call(t, http.MethodPost, url+"/api/recruitment/import", map[string]any{"source_system": "ats", "new_hire": map[string]any{
		"first_name": "John", "last_name": "Doe", "employee_reference": "EMP001", "employment_start_date": "2024-02-01",
	}}, "person_id")
	person := fmt.Sprintf("%s/api/staff/people/%v", url, id)
	call(t, http.MethodPatch, person, map[string]any{"job_title": "Support Worker", "salary_grade": "G5"}, "")
	number := int64(0)
	for id, e := range pull("2 changes, 9 employees").Employees {
		if e.Number == "EMP001" && e.Position == "Support Worker" && e.Grade == "" {
			number = id
		}
	}
	call(t, http.MethodPatch, person, map[string]any{"is_active": false}, "")
	if have := pull("1 changes, 9 employees"); number == 0 || !have.Employees[number].Left {
		t.Errorf("%d: %+v", number, have.Employees[number])
	}
	call(t, http.MethodPost, person+"/erase", nil, "")
	pull("1 changes, 8 employees")
}

// fake answers in order, and again and again with the last.
func fake(t *testing.T, answers ...func(w http.ResponseWriter)) (url string, asked func() []string) {
	t.Helper()
	var paths []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := answers[min(len(paths), len(answers)-1)]
		paths = append(paths, r.URL.RequestURI())
		answer(w)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []string { return paths }
}

func says(status int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if len(header) == 2 {
			w.Header().Set(header[0], header[1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// TestWaits: as long as it is told when it asks too much, longer and longer when the service is away, and not for ever.
func TestWaits(t *testing.T) {
	url, asked := fake(t, says(429, ``, "Retry-After", "7"), says(503, ``), says(200, `{"items":[],"cursor":"c2"}`), says(500, ``))
	var waited []time.Duration
	c := &client{base: url, http: http.DefaultClient, wait: func(_ context.Context, d time.Duration) error {
		waited = append(waited, d)
		return nil
	}}
	if cursor, err := c.changes(t.Context(), "c1", nil); cursor != "c2" || err != nil || fmt.Sprint(waited) != "[7s 2s]" || len(asked()) != 3 {
		t.Errorf("%q, %v after %v and %d requests", cursor, err, waited, len(asked()))
	}
	if _, err := c.changes(t.Context(), "c1", nil); err == nil || len(asked()) != 3+mostTries {
		t.Errorf("%v after %d requests", err, len(asked()))
	}
}

// TestFailures: an expired cursor means everybody again; whatever else fails leaves the file as it was.
func TestFailures(t *testing.T) {
	file := filepath.Join(t.TempDir(), "employees.json")
	before := copied{Cursor: "old", Employees: map[int64]employee{7: {Number: "E7"}}}
	if err := (puller{file: file}).save(before); err != nil {
		t.Fatal(err)
	}
	pull := func(answers ...func(http.ResponseWriter)) (string, error) {
		url, _ := fake(t, answers...)
		c := &client{base: url, http: http.DefaultClient, wait: func(context.Context, time.Duration) error { return nil }}
		return puller{c, file}.pull(t.Context())
	}
	page := says(200, `{"items":[{"kind":"person","id":7,"deleted":true}],"cursor":"c1","next_cursor":"c1"}`)
	for name, answers := range map[string][]func(http.ResponseWriter){
		"in the middle": {page, says(500, ``)}, "refused": {says(401, `{}`)}, "no JSON": {says(200, `<html>`)},
		"expired, and then away": {says(410, `{}`), says(200, `{"cursor":"now"}`), says(500, ``)},
	} {
		if done, err := pull(answers...); err == nil {
			t.Errorf("%s: %s", name, done)
		}
		if have, err := (puller{file: file}).load(); err != nil || have.Cursor != "old" || len(have.Employees) != 1 {
			t.Errorf("%s: the file has %+v, %v", name, have, err)
		}
	}
	done, err := pull(says(410, `{}`), says(200, `{"cursor":"c9"}`), says(200, `{"items":[{"id":8},{"id":9}]}`))
	if have, loadErr := (puller{file: file}).load(); done != "everybody, 2 employees" || err != nil || loadErr != nil || have.Cursor != "c9" {
		t.Errorf("%s, %v; %+v, %v", done, err, have, loadErr)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if done, err := pull(says(200, `{}`)); err == nil {
		t.Errorf("a broken file: %s", done)
	}
}

func TestSettings(t *testing.T) {
	if err := run(t.Context(), nil, func(string) string { return "" }, io.Discard); err == nil {
		t.Error("it runs without a key")
	}
	if err := run(t.Context(), []string{"-x"}, func(string) string { return "k" }, io.Discard); err == nil {
		t.Error("it runs with a bad flag")
	}
	// With -every it goes on after a failure until it is stopped.
	url, _ := fake(t, says(401, `{}`))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-url", url, "-file", filepath.Join(t.TempDir(), "x"), "-every", "1ms"}, func(string) string { return "k" }, write)
	}()
	line := make([]byte, 64)
	for range 2 {
		if n, err := out.Read(line); err != nil || !strings.HasPrefix(string(line[:n]), "failed: ") {
			t.Fatalf("%s, %v", line[:n], err)
		}
	}
	cancel()
	_ = out.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
