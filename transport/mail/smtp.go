package mail

import (
	"cmp"
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/renkei-go/renkei/transport/retry"
)

// Config says how to reach an SMTP server. The zero values mean the defaults.
type Config struct {
	// URL is "smtp://[user:password@]host[:port]" (port 587, STARTTLS if the server offers it),
	// "smtp+starttls://…" (port 587, STARTTLS or no mail at all) or "smtps://…" (port 465, TLS from the start).
	// A password is never sent over a connection without TLS.
	URL         string
	From        string        // for messages that have none, and the envelope sender; required
	HelloName   string        // of this host, for EHLO; default: the host name
	Timeout     time.Duration // of the whole dialogue for one message; default 20 seconds
	Connections int           // idle connections kept for half a minute; default 2, negative none
	TLS         *tls.Config   // e.g. with own roots; default: the system's roots and TLS 1.2
	DKIM        *DKIM         // default: no signature (many submission servers sign themselves)
}

// DKIM is how messages are signed (RFC 6376): relaxed/relaxed, with the key published at Selector._domainkey.Domain.
type DKIM struct {
	Domain   string
	Selector string
	Key      crypto.Signer // *rsa.PrivateKey or ed25519.PrivateKey
}

const (
	defaultTimeout     = 20 * time.Second
	defaultConnections = 2
	keepIdle           = 30 * time.Second // servers close after minutes
)

// SMTP is a Sender over SMTP. It is safe for concurrent use; each concurrent Send has a connection of its own.
type SMTP struct {
	client  *mail.Client
	from    string
	timeout time.Duration
	keep    int
	dkim    *mail.DKIMSigner

	mu   sync.Mutex
	idle []connection
}

// connection is an open dialogue with the server.
type connection struct {
	smtp  *smtp.Client
	conn  net.Conn
	since time.Time
}

var _ Sender = (*SMTP)(nil)

// NewSMTP makes an SMTP sender. It connects when there is something to send. The error never repeats the URL.
func NewSMTP(cfg Config) (*SMTP, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("mail: an SMTP URL has the form smtp://user:password@host:port")
	}
	if !isAddress(cfg.From) {
		return nil, errors.New("mail: From must be a mail address")
	}
	port, policy, implicit := 587, mail.TLSOpportunistic, false
	switch u.Scheme {
	case "smtp":
	case "smtp+starttls":
		policy = mail.TLSMandatory
	case "smtps":
		port, implicit = 465, true
	default:
		return nil, errors.New("mail: an SMTP URL starts with smtp://, smtp+starttls:// or smtps://")
	}
	if p := u.Port(); p != "" {
		port, _ = strconv.Atoi(p)
	}
	s := &SMTP{from: cfg.From, timeout: cfg.Timeout, keep: cfg.Connections}
	if s.timeout == 0 {
		s.timeout = defaultTimeout
	}
	if s.keep == 0 {
		s.keep = defaultConnections
	}
	tlsConfig := &tls.Config{}
	if cfg.TLS != nil {
		tlsConfig = cfg.TLS.Clone()
	}
	if tlsConfig.ServerName == "" {
		tlsConfig.ServerName = u.Hostname()
	}
	tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	options := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(s.timeout), mail.WithTLSPolicy(policy), mail.WithTLSConfig(tlsConfig),
		mail.WithDialContextFunc(dialer(tlsConfig, implicit)),
	}
	if cfg.HelloName != "" {
		options = append(options, mail.WithHELO(cfg.HelloName))
	}
	if user := u.User.Username(); user != "" {
		password, _ := u.User.Password()
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(user), mail.WithPassword(password))
	}
	if s.client, err = mail.NewClient(u.Hostname(), options...); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	if cfg.DKIM != nil {
		s.dkim = mail.NewDKIMSigner(cfg.DKIM.Domain, cfg.DKIM.Selector, cfg.DKIM.Key)
		s.dkim.HeaderCanonicalization(mail.CanonicalizationRelaxed)
		s.dkim.BodyCanonicalization(mail.CanonicalizationRelaxed)
		if err := s.dkim.ValidateConfig(); err != nil {
			return nil, fmt.Errorf("mail: DKIM: %w", err)
		}
	}
	return s, nil
}

type dialKey struct{}

// dialer leaves the connection that it opened where Send can cut it: the library holds a lock while it waits for an
// answer, so only the connection itself can end a dialogue early.
func dialer(tlsConfig *tls.Config, implicit bool) mail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var conn net.Conn
		var err error
		if implicit {
			conn, err = (&tls.Dialer{Config: tlsConfig}).DialContext(ctx, network, address)
		} else {
			conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		}
		if opened, ok := ctx.Value(dialKey{}).(func(net.Conn)); ok && err == nil {
			opened(conn)
		}
		return conn, err
	}
}

// ended is ctx.Err that does not wait for the context to notice: a connection has the same deadline and may be faster.
func ended(ctx context.Context) error {
	if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// Send implements Sender. It returns ErrMessage as a permanent error, a permanent one for an answer 5xx of the server to
// the message or its recipients, and a temporary one for everything else: no connection, 4xx, a login that failed
// or is missing, a broken dialogue. If one of several recipients is refused, nobody gets the message.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	if m.From == "" {
		m.From = s.from
	}
	msg, err := build(m)
	if err != nil {
		return err
	}
	// The envelope sender stays ours, so that bounces come home and SPF holds, whatever From says.
	if m.ReturnPath == "" {
		m.ReturnPath = s.from
	}
	msg.EnvelopeFromMailAddress(parse(m.ReturnPath))
	if s.dkim != nil {
		msg.SetDKIM(s.dkim)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for reuse := true; ; reuse = false {
		c, old, err := s.connect(ctx, reuse)
		if err != nil {
			return fmt.Errorf("mail: no SMTP dialogue: %w", cmp.Or(ended(ctx), err))
		}
		c.smtp.SkipSMTPUTF8(!needsUTF8(m))
		err = s.send(ctx, c, msg)
		if msg.IsDelivered() {
			return nil // what came after, such as a failing RSET, does not matter
		}
		var failed *mail.SendError
		if old && errors.As(err, &failed) && failed.Reason == mail.ErrConnCheck {
			continue // it had gone stale before anything was said
		}
		if over := ended(ctx); over != nil {
			return fmt.Errorf("mail: the SMTP dialogue was cut: %w", over)
		}
		return classify(err)
	}
}

// needsUTF8 says whether only servers with SMTPUTF8 (RFC 6531) can carry the message: all but local parts is encoded.
// Asked for without need, some servers carry it no further than to others that have it, too.
func needsUTF8(m Message) bool {
	for _, address := range append([]string{m.From, m.ReplyTo, m.ReturnPath}, m.To...) {
		if address != "" && !isASCII(parse(address).Address) {
			return true
		}
	}
	return false
}

func (s *SMTP) send(ctx context.Context, c connection, msg *mail.Msg) error {
	cut := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	err := s.client.SendWithSMTPClient(c.smtp, msg)
	if intact := cut(); intact && err == nil {
		s.giveBack(c)
	} else {
		_ = c.conn.Close()
	}
	return err
}

// authenticationRequired is a server's answer to who has not signed in (RFC 4954 §6): a setting, not the message, is wrong.
const authenticationRequired = 530

// classify marks what the server refused for good.
func classify(err error) error {
	code := 0
	if failed, ok := errors.AsType[*mail.SendError](err); ok {
		code = failed.ErrorCode()
	} else if answer, ok := errors.AsType[*textproto.Error](err); ok {
		code = answer.Code
	}
	err = fmt.Errorf("mail: %w", err)
	if code >= 500 && code < 600 && code != authenticationRequired {
		return retry.Permanent(err)
	}
	return err
}

// connect returns an idle connection, if reuse allows and there is one, or a new one.
func (s *SMTP) connect(ctx context.Context, reuse bool) (c connection, old bool, err error) {
	for reuse {
		s.mu.Lock()
		n := len(s.idle)
		if n == 0 {
			s.mu.Unlock()
			break
		}
		c, s.idle = s.idle[n-1], s.idle[:n-1]
		s.mu.Unlock()
		if time.Since(c.since) < keepIdle {
			return c, true, nil
		}
		_ = c.conn.Close()
	}
	var cut func() bool
	dial := context.WithValue(ctx, dialKey{}, func(conn net.Conn) {
		c.conn = conn
		cut = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	})
	c.smtp, err = s.client.DialToSMTPClientWithContext(dial)
	if cut != nil && !cut() && err == nil {
		err = ctx.Err()
	}
	if err != nil && c.conn != nil {
		_ = c.conn.Close()
	}
	return c, false, err
}

func (s *SMTP) giveBack(c connection) {
	c.since = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) >= s.keep {
		_ = c.conn.Close()
		return
	}
	s.idle = append(s.idle, c)
}

// Close closes idle connections. The sender can be used afterwards.
func (s *SMTP) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, c := range idle {
		_ = c.smtp.Quit()
	}
	return nil
}
