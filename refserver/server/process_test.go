package server_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStopsInGoodOrder: asked to stop, the program takes no new connections, answers what it has begun and ends with 0.
// Meanwhile a second one that wants the same SQLite file is refused and says why.
func TestStopsInGoodOrder(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	sink := startSink(t, ctx)
	dir := t.TempDir()
	path := build(t)
	p := launch(t, ctx, path, dir, "", sink)

	second := exec.CommandContext(ctx, path, "--demo", "--listen", "127.0.0.1:0", "--data-dir", dir)
	out, err := second.CombinedOutput()
	if err == nil || second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "another process is using this SQLite file") {
		t.Errorf("the second process: %v %s", err, out)
	}

	body, half := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/events", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer demo-alice"}, "Content-Type": {"application/json"}}
	answered := make(chan answer, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			answered <- answer{body: []byte(err.Error())}
			return
		}
		defer func() { _ = res.Body.Close() }()
		raw, _ := io.ReadAll(res.Body)
		answered <- answer{status: res.StatusCode, body: raw}
	}()
	if _, err := half.Write([]byte(`{"title":"Half a request",`)); err != nil {
		t.Fatal(err)
	}
	// The pipe was read, so the request is on its way; another one tells that the server has come to it.
	await(t, ctx, func() bool { return p.call(t, "", http.MethodGet, "/healthz", nil).status == http.StatusOK })
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, ctx, func() bool { return p.call(t, "", http.MethodGet, "/healthz", nil).status == 0 })
	if _, err := half.Write([]byte(`"start_at":"2030-01-15T10:00:00Z","end_at":"2030-01-15T11:00:00Z"}`)); err != nil {
		t.Fatal(err)
	}
	_ = half.Close()
	if a := <-answered; a.status != http.StatusCreated {
		t.Errorf("what was begun was not answered: %d %s", a.status, a.body)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended badly: %v\n%s", err, p.log)
	}
	if _, err := os.Stat(dir + "/renkei.db"); err != nil {
		t.Error(err)
	}
}
