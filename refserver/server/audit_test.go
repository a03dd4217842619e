package server_test

import (
	"context"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/refserver/server"
)

// serveWhile runs a server of the given data folder as long as f takes, and stops it in good order. It is a demo unless
// a configuration says otherwise.
func serveWhile(t *testing.T, dir, database string, f func(r rig), with ...server.Config) {
	t.Helper()
	cfg := server.Config{Demo: true}
	if len(with) > 0 {
		cfg = with[0]
		cfg.Demo = cfg.Tenant == ""
	}
	cfg.Listen, cfg.DataDir, cfg.Database, cfg.LogTo = "127.0.0.1:0", dir, database, &lockedLog{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s, err := server.New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	f(rig{url: s.URL()})
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// cutTail removes the newest entry as somebody with the database's password could, and repairs what they know of.
func cutTail(t *testing.T, database string) {
	t.Helper()
	db, err := sqldb.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	ctx := t.Context()
	for _, query := range []string{
		"DELETE FROM audit_entries WHERE seq = (SELECT max(seq) FROM audit_entries)",
		"UPDATE audit_chains SET (seq, key_id, digest, mac) = (SELECT seq, key_id, digest, mac FROM audit_entries ORDER BY seq DESC LIMIT 1)",
	} {
		if _, err := db.IDB(ctx).ExecContext(ctx, query); err != nil {
			t.Fatal(err)
		}
	}
}
