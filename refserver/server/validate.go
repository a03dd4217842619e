package server

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/mail"
)

// Validate says everything that is wrong with the settings at once. It connects to nothing, and repeats no value.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, badSetting(format, args...)) }

	host, port, err := net.SplitHostPort(c.Listen)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		bad("listen: an address has the form host:port")
	}
	if c.Demo && !loopback(host) {
		bad("demo: demo tokens work only on a loopback address such as 127.0.0.1:8080")
	}
	if err := sqldb.CheckURL(c.Database); err != nil {
		bad(`database: a URL has the form "sqlite:FILE" or "postgres://user:password@host/name"`)
	}
	if c.Tenant == "" || len(c.Tenant) > 255 || !check.IsText(string(c.Tenant), false) {
		bad("tenant: an id has at most 255 bytes and no control characters")
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (!isHTTP(u, err) || u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
		bad("public-url: it must be an http or https URL, without query and user")
	}
	if u, err := url.Parse(c.OIDCIssuer); c.OIDCIssuer != "" && !isHTTP(u, err) {
		bad("oidc-issuer: it must be an http or https URL")
	}
	if u, err := url.Parse(c.OTLPEndpoint); c.OTLPEndpoint != "" && (!isHTTP(u, err) || u.RawQuery != "") {
		bad("otlp-endpoint: it must be an http or https URL, without a query")
	}
	if (c.OIDCIssuer == "") != (c.OIDCClientID == "") {
		bad("oidc-issuer and oidc-client-id: one needs the other")
	}
	if !c.SecretKeys.IsZero() {
		if _, err := secret.ParseKeys(c.SecretKeys.Reveal()); err != nil {
			bad("secret-keys: the form is id:base64,… with 32 bytes each")
		}
	}
	if _, ok := logLevels[c.LogLevel]; !ok {
		bad("log-level: it is debug, info, warn or error")
	}
	return errors.Join(append(errs, c.validateMail(), c.validateOutgoing(), c.validateEntra())...)
}

func isHTTP(u *url.URL, err error) bool {
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func (c Config) validateMail() error {
	var errs []error
	for _, d := range c.MailDomains {
		if strings.Contains(d, "@") || identity.NormalEmail("x@"+d) == "" {
			errs = append(errs, badSetting("mail-domains: one of them is no domain name"))
		}
	}
	if identity.NormalEmail(c.ReplyAddress) == "" {
		errs = append(errs, badSetting("reply-address: it must be a plain mail address"))
	}
	if (mail.Message{From: c.MailFrom, To: []string{"x@example.com"}, Text: "x"}).Validate() != nil {
		errs = append(errs, badSetting("mail-from: it must be a mail address, with or without a name"))
	} else if c.SMTPURL != "" {
		if _, err := mail.NewSMTP(mail.Config{URL: c.SMTPURL, From: c.MailFrom}); err != nil {
			errs = append(errs, badSetting("smtp-url: the form is smtp://user:password@host:port, with smtp, smtp+starttls or smtps"))
		}
	}
	return errors.Join(errs...)
}

// validateOutgoing makes what would be connected later, and lets go of it.
func (c Config) validateOutgoing() error {
	var errs []error
	if c.Broker != "" {
		b, err := broker.Open(context.Background(), c.Broker, broker.Options{}, brokers)
		if err == nil {
			err = b.Close()
		}
		if err != nil {
			errs = append(errs, badSetting("broker: a URL has the form scheme://host:port, with the scheme nats, kafka, amqp, amqps, redis or rediss"))
		}
	}
	if _, err := prefixes(c.AllowPrivate); err != nil {
		errs = append(errs, badSetting("allow-private-targets: CIDR blocks such as 10.1.0.0/16, with commas between"))
	} else if _, err := channels(c, nil); err != nil {
		errs = append(errs, badSetting("slack-bot-token, slack-webhook-url, teams-webhook-url: %v", err))
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
