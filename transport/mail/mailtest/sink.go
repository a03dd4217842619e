package mailtest

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Message is what arrived.
type Message struct {
	From string   // envelope sender
	To   []string // envelope recipients
	Data []byte   // header and body, as sent
	UTF8 bool     // it asked for SMTPUTF8
}

// Mode is what a Sink does with the next messages.
type Mode int

// The modes.
const (
	Accept    Mode = iota
	Busy           // answers 451 to DATA: try again
	Reject         // answers 550 to RCPT: no such user
	Login          // answers 530 to RCPT: sign in first
	Drop           // takes the message, then closes the connection without an answer: the outcome is unknown
	Refuse         // answers 421 to the connection's first command
	Hang           // never answers DATA until the Sink is closed or the mode changes
	modeCount      // for checks
)

// Sink is a running server. It is safe for concurrent use.
type Sink struct {
	URL string // for mail.Config, "smtp://127.0.0.1:port"

	listener net.Listener
	server   *smtp.Server
	served   chan struct{}
	closed   chan struct{}

	mu      sync.Mutex
	mode    Mode
	changed chan struct{} // closed and replaced whenever something happens
	got     []Message
	conns   int
}

// Start starts a Sink that runs until Close or the end of ctx.
func Start(ctx context.Context) (*Sink, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{
		URL: "smtp://" + listener.Addr().String(), listener: listener, served: make(chan struct{}), closed: make(chan struct{}),
		changed: make(chan struct{}),
	}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return s.session(c) }))
	s.server.Domain = "sink.example"
	s.server.MaxMessageBytes = 32 << 20
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	s.server.EnableSMTPUTF8 = true
	s.server.ErrorLog = silent{}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener)
	}()
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return s, nil
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// Close stops the server and cuts its connections. It may be called again.
func (s *Sink) Close() error {
	s.mu.Lock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	s.mu.Unlock()
	_ = s.listener.Close() // the server does not know it yet when it is closed at once
	_ = s.server.Close()
	<-s.served
	return nil
}

// Set changes what happens to messages from now on.
func (s *Sink) Set(m Mode) {
	if m < Accept || m >= modeCount {
		panic("mailtest: no such mode")
	}
	s.update(func() { s.mode = m })
}

func (s *Sink) update(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Messages returns what has arrived so far, in that order.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// Connections returns how many connections have been accepted so far.
func (s *Sink) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// Wait returns the messages when there are at least n, or those so far with ctx's error.
func (s *Sink) Wait(ctx context.Context, n int) ([]Message, error) {
	for {
		s.mu.Lock()
		got, changed := slices.Clone(s.got), s.changed
		s.mu.Unlock()
		if len(got) >= n {
			return got, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
}

func (s *Sink) session(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns++
	if s.mode == Refuse {
		return nil, &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "not now"}
	}
	return &session{sink: s, conn: c}, nil
}

type session struct {
	sink *Sink
	conn *smtp.Conn
	now  Message
}

func (s *session) mode() (Mode, <-chan struct{}) {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	return s.sink.mode, s.sink.changed
}

func (s *session) Reset()        { s.now = Message{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, options *smtp.MailOptions) error {
	s.now = Message{From: from, UTF8: options.UTF8}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch mode, _ := s.mode(); mode {
	case Reject:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	case Login:
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "sign in first"}
	default:
	}
	s.now.To = append(s.now.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	mode, changed := s.mode()
	for mode == Hang {
		select {
		case <-changed:
			mode, changed = s.mode()
		case <-s.sink.closed:
			return &smtp.SMTPError{Code: 421, Message: "closing"}
		}
	}
	if mode == Busy {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try again"}
	}
	s.now.Data = data
	s.sink.update(func() { s.sink.got = append(s.sink.got, s.now) })
	if mode == Drop {
		_ = s.conn.Conn().Close()
	}
	return nil
}
