package postgrestest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Private is a server that belongs to one test, which may stop and crash it.
type Private struct {
	URL string // the same over restarts; its role is a superuser

	dir    string
	server server
}

// StartPrivate starts one, installing PostgreSQL first when need be. It takes a second or two. Give it back with Stop.
// It is never the server that EnvURL names.
func StartPrivate(ctx context.Context) (*Private, error) {
	dir, err := os.MkdirTemp("", "renkei-private-postgres-")
	if err != nil {
		return nil, err
	}
	c := cluster{dir: dir, find: find, install: install}
	if err = os.Chmod(dir, 0o711); err == nil { // the server of root runs as another user
		var p Private
		if p, err = c.private(ctx); err == nil {
			return &p, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

func (c cluster) private(ctx context.Context) (Private, error) {
	url, err := c.start(ctx)
	if err != nil {
		return Private{}, err
	}
	folders, err := filepath.Glob(filepath.Join(c.dir, "server-*"))
	if err != nil || len(folders) != 1 {
		return Private{}, errors.Join(err, errNoServer, c.clear(context.WithoutCancel(ctx)))
	}
	return Private{URL: url, dir: c.dir, server: server{programs: c.find(), folder: folders[0]}}, nil
}

// Restart stops the server, which breaks every connection, and returns when it answers again under the same URL. With
// crash its processes end at once, as by a power cut: commits that did not wait for the disk are forgotten, and it
// recovers from its log.
func (p *Private) Restart(ctx context.Context, crash bool) error {
	mode := "fast"
	if crash {
		mode = "immediate"
	}
	log := filepath.Join(p.server.data(), "server.log") // without one it would keep our pipe open
	if err := p.server.run(ctx, "pg_ctl", "restart", "--mode="+mode, "--wait", "--timeout=60", "--pgdata="+p.server.data(), "--log="+log); err != nil {
		return err
	}
	return ping(ctx, p.URL)
}

// Stop ends the server and removes its data.
func (p *Private) Stop(ctx context.Context) error {
	return errors.Join(cluster{dir: p.dir, find: find, install: install}.clear(ctx), os.RemoveAll(p.dir))
}
