package graphtest_test

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
)

//go:embed testdata/check.mjs
var check []byte

// TestMicrosoftClient drives the fake by Microsoft's own JavaScript client, where node and npm are and can fetch it. It
// is the one test that more than Go and make is needed for; the log says when it could not be made.
func TestMicrosoftClient(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("NOT TESTED: no %s on this machine", program)
			return
		}
	}
	dir := t.TempDir()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	run := func(env []string, name string, arguments ...string) (string, error) {
		cmd := exec.CommandContext(ctx, name, arguments...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	write(t, filepath.Join(dir, "package.json"), []byte(`{"private": true, "type": "module"}`))
	if out, err := run(nil, "npm", "install", "--prefer-offline", "--fetch-retries=0", "--fetch-timeout=30000", "--no-audit", "--no-fund", "--silent", "@microsoft/microsoft-graph-client@3.0.7"); err != nil {
		t.Logf("NOT TESTED: npm cannot install @microsoft/microsoft-graph-client: %v\n%s", err, out)
		return
	}
	s := graphtest.New(t, graphtest.Config{PageSize: 2, Faults: func(c graphtest.Call) graphtest.Fault {
		if c.N == 1 {
			return graphtest.Fault{Status: 429, RetryAfter: 1} // the client waits and comes again
		}
		return graphtest.Fault{}
	}})
	for _, name := range []string{"Ada", "Grace", "Edsger", "Barbara", "Donald"} {
		s.AddUser(graphtest.User{Name: name, UPN: strings.ToLower(name) + "@" + graphtest.TenantID, EmployeeID: "E-" + name, Enabled: true})
	}
	write(t, filepath.Join(dir, "check.mjs"), check)
	write(t, filepath.Join(dir, "ca.pem"), s.Certificate())
	out, err := run([]string{
		"NODE_EXTRA_CA_CERTS=" + filepath.Join(dir, "ca.pem"), "BASE_URL=" + strings.TrimSuffix(s.BaseURL(), "/v1.0"), "TOKEN_URL=" + s.TokenURL(),
		"CLIENT_ID=" + graphtest.ClientID, "CLIENT_SECRET=" + graphtest.ClientSecret, "DOMAIN=" + graphtest.TenantID,
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1",
	}, "node", "check.mjs")
	if err != nil || !strings.Contains(out, "all good") {
		t.Errorf("%v\n%s", err, out)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
