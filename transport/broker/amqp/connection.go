package amqp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/renkei-go/renkei/transport/broker"
)

// dialer connects to the first of several hosts that answers.
type dialer struct {
	hosts     []string
	tls       bool
	user      string
	password  string
	vhost     string
	heartbeat time.Duration
	timeout   time.Duration
}

func newDialer(u broker.URL, o broker.Options) dialer {
	d := dialer{hosts: u.Hosts, tls: u.Scheme == "amqps", user: "guest", password: "guest", vhost: "/", heartbeat: o.Lease, timeout: o.Timeout}
	if u.User != nil {
		d.user = u.User.Username()
		d.password, _ = u.User.Password()
	}
	if path := strings.TrimPrefix(u.Path, "/"); path != "" {
		d.vhost = path
	}
	return d
}

// connection is one to the server. Calls on it and its channels do not heed a context, so who has one ends the
// connection with it: see during.
type connection struct {
	*client.Connection
}

func (d dialer) dial(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var errs []error
	for _, host := range d.hosts {
		c, err := d.dialHost(ctx, host)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (d dialer) dialHost(ctx context.Context, host string) (*connection, error) {
	var conn net.Conn
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok { // of the handshakes; Open takes it off
		err = conn.SetDeadline(deadline)
	}
	conn = &impatient{Conn: conn, timeout: d.timeout}
	if d.tls && err == nil {
		name, _, _ := net.SplitHostPort(host)
		secure := tls.Client(conn, &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12})
		err = secure.HandshakeContext(ctx)
		conn = secure
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	properties := client.NewConnectionProperties()
	properties.SetClientConnectionName("renkei")
	c, err := client.Open(conn, client.Config{
		SASL: []client.Authentication{&client.PlainAuth{Username: d.user, Password: d.password}}, Vhost: d.vhost,
		Heartbeat: d.heartbeat, Locale: "en_US", FrameSize: frameSize, Properties: properties,
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &connection{c}, nil
}

// impatient is a net.Conn whose writes end: a server that reads no more would hold them up for ever.
type impatient struct {
	net.Conn
	timeout time.Duration
}

func (c *impatient) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// during calls fn and ends the connection, with what fn waits for, when ctx ends first.
func (c *connection) during(ctx context.Context, fn func() error) error {
	stop := context.AfterFunc(ctx, c.end)
	defer stop()
	err := fn()
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
}

// end closes the connection, politely if the server answers at once. What was not acknowledged goes back to the queues.
func (c *connection) end() {
	_ = c.CloseDeadline(time.Now().Add(time.Second))
}

// once gives fn a connection of its own.
func (d dialer) once(ctx context.Context, fn func(*connection) error) error {
	c, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer c.end()
	return c.during(ctx, func() error { return fn(c) })
}
