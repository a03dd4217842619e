package mail_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/renkei-go/renkei/transport/mail"
	"github.com/renkei-go/renkei/transport/retry"
)

// guarded is an SMTP server with a certificate, a password, or neither. It notes all that comes before TLS.
type guarded struct {
	mu       sync.Mutex
	clear    strings.Builder
	received []string // "tls" or "clear", and who signed in
}

type guardedSession struct {
	server *guarded
	conn   *smtp.Conn
	user   string
}

func (s *guardedSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *guardedSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "renkei" || password != "pass word" {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}

func (s *guardedSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *guardedSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *guardedSession) Reset()                               {}
func (s *guardedSession) Logout() error                        { return nil }

func (s *guardedSession) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	how := "clear"
	if _, secure := s.conn.TLSConnectionState(); secure {
		how = "tls"
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.received = append(s.server.received, strings.TrimSpace(how+" "+s.user))
	return err
}

// overheard is a listener whose connections note what clients say.
type overheard struct {
	net.Listener
	server *guarded
}

func (l overheard) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return overheardConn{conn, l.server}, err
}

type overheardConn struct {
	net.Conn
	server *guarded
}

func (c overheardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.clear.Write(p[:n])
	return n, err
}

// startGuarded starts a server: "none", "starttls" or "tls".
func startGuarded(t *testing.T, kind string, certificate *tls.Config) (*guarded, string) {
	t.Helper()
	g := &guarded{}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &guardedSession{server: g, conn: c}, nil }))
	server.Domain, server.ErrorLog = "sink.example", quiet{}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener = overheard{listener, g}
	switch kind {
	case "starttls":
		server.TLSConfig = certificate
	case "tls":
		listener = tls.NewListener(listener, certificate)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = listener.Close(); _ = server.Close(); <-served })
	return g, address
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// TestTLS: what each scheme demands of the server, and that a password never goes in the clear.
func TestTLS(t *testing.T) {
	https := httptest.NewUnstartedServer(nil)
	https.StartTLS()
	defer https.Close()
	certificate := &tls.Config{Certificates: https.TLS.Certificates, MinVersion: tls.VersionTLS12}
	roots := x509.NewCertPool()
	roots.AddCert(https.Certificate())
	trusted := &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
	for name, c := range map[string]struct {
		server, url string
		client      *tls.Config
		got         []string // none: it fails, as another try may not
	}{
		"starttls, demanded":                {"starttls", "smtp+starttls://", trusted, []string{"tls"}},
		"starttls, if it is there":          {"starttls", "smtp://", trusted, []string{"tls"}},
		"starttls, with a login":            {"starttls", "smtp+starttls://renkei:pass%20word@", trusted, []string{"tls renkei"}},
		"starttls, with a wrong password":   {"starttls", "smtp+starttls://renkei:wrong@", trusted, nil},
		"starttls, of a stranger":           {"starttls", "smtp+starttls://renkei:pass%20word@", nil, nil},
		"starttls, of a stranger, optional": {"starttls", "smtp://renkei:pass%20word@", nil, nil},
		"none, demanded":                    {"none", "smtp+starttls://renkei:pass%20word@", trusted, nil},
		"none, optional":                    {"none", "smtp://", trusted, []string{"clear"}},
		"none, with a login":                {"none", "smtp://renkei:pass%20word@", trusted, nil},
		"tls":                               {"tls", "smtps://renkei:pass%20word@", trusted, []string{"tls renkei"}},
		"tls, of a stranger":                {"tls", "smtps://renkei:pass%20word@", nil, nil},
		"tls, from a server without":        {"none", "smtps://renkei:pass%20word@", trusted, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g, address := startGuarded(t, c.server, certificate)
			sender, err := mail.NewSMTP(mail.Config{URL: c.url + address, From: "a@example.com", TLS: c.client, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = sender.Close() }()
			err = sender.Send(t.Context(), mail.Message{To: []string{"b@example.com"}, Text: "x"})
			if (err == nil) != (len(c.got) > 0) || retry.IsPermanent(err) {
				t.Errorf("%v", err)
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			if !slices.Equal(g.received, c.got) {
				t.Errorf("it received %q, want %q", g.received, c.got)
			}
			// The forms that a password has on the wire: as it is, and in base64 with the user before it.
			for _, secret := range []string{"pass word", "AHJlbmtlaQBwYXNzIHdvcmQ", "cGFzcyB3b3Jk"} {
				if strings.Contains(g.clear.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the password shows")
				}
			}
		})
	}
}
