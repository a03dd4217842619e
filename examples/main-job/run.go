package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jhillyerd/enmime/v2"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/refserver/server"
	"github.com/renkei-go/renkei/transport/mail/mailtest"
)

// run starts the server and the mail sink, plays the story and stops the server again.
func run(ctx context.Context, database string, out io.Writer) (err error) {
	sink, err := mailtest.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }()
	dir, err := os.MkdirTemp("", "renkei-main-job-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	srv, err := server.New(ctx, server.Config{
		// An organisation of its own, so that the story can be played again in the same database.
		Tenant: identity.TenantID("main-job-" + strings.ToLower(rand.Text())),
		Listen: "127.0.0.1:0", Demo: true, Database: database, DataDir: dir, SMTPURL: sink.URL, LogLevel: "warn",
	})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Run(serving) }()
	defer func() {
		stop()
		err = errors.Join(err, <-stopped)
	}()
	select {
	case <-srv.Ready():
	case <-ctx.Done():
		return fmt.Errorf("the server did not become ready: %w", ctx.Err())
	}
	fmt.Fprintf(out, "server on %s, mail to %s\n", srv.URL(), sink.URL)

	s := &story{
		out: out, server: client{base: srv.URL()}, sink: &arrivals{sink: sink},
		start: time.Now().UTC().Truncate(24 * time.Hour).Add(7*24*time.Hour + time.Hour), // in a week, 10:00 in Tokyo
	}
	if err := s.play(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "all %d steps held\n", s.steps)
	return nil
}

// arrivals is the mailbox of everybody, behind the SMTP server that the mails went to.
type arrivals struct {
	sink *mailtest.Sink
	mu   sync.Mutex
	read map[int]bool
}

// mailPatience is how long Next waits for a mail that is on its way.
const mailPatience = time.Minute

func (m *arrivals) Next(ctx context.Context, to, subject string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, mailPatience)
	defer cancel()
	for {
		messages := m.sink.Messages()
		m.mu.Lock()
		for i, msg := range messages {
			if m.read[i] || !slices.Contains(msg.To, to) {
				continue
			}
			env, err := enmime.ReadEnvelope(bytes.NewReader(msg.Data))
			if err != nil {
				m.mu.Unlock()
				return nil, err
			}
			if strings.Contains(env.GetHeader("Subject"), subject) {
				if m.read == nil {
					m.read = map[int]bool{}
				}
				m.read[i] = true
				m.mu.Unlock()
				return msg.Data, nil
			}
		}
		m.mu.Unlock()
		if _, err := m.sink.Wait(ctx, len(messages)+1); err != nil {
			return nil, fmt.Errorf("no mail %q came to %s: %w", subject, to, err)
		}
	}
}

func (m *arrivals) Count(to string) int {
	n := 0
	for _, msg := range m.sink.Messages() {
		if slices.Contains(msg.To, to) {
			n++
		}
	}
	return n
}
