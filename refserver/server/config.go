package server

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/staff"
)

// Config is every setting of the server. The zero value serves SQLite in ./renkei-data on 127.0.0.1:8080.
type Config struct {
	Listen       string              // address to serve on; default 127.0.0.1:8080
	Database     string              // sqlite:… or postgres://…; default SQLite in DataDir
	Broker       string              // nats://, kafka://, amqp(s):// or redis(s)://…; default: messages stay in the process
	DataDir      string              // where files of the server live; default renkei-data
	PublicURL    string              // how people reach the server, for links in mails; default http:// + Listen
	Tenant       identity.TenantID   // the organisation served; default "1"
	MailDomains  []string            // the organisation's own mail domains; default localhost, in the demo example.com
	SMTPURL      string              // smtp://user:password@host:587; default: mails are kept for /mail-outbox
	SlackToken   secret.String       // bot token: notices go to a person's direct messages; scopes chat:write, users:read, users:read.email, im:write
	SlackWebhook secret.String       // incoming webhook, without a token: one channel for all
	TeamsWebhook secret.String       // workflow webhook: one channel for all
	AllowPrivate string              // CIDR blocks, with commas between, that outgoing HTTP may reach beside the public Internet
	MailFrom     string              // sender of every mail; default "Renkei <no-reply@" + first mail domain + ">"
	ReplyAddress string              // where replies to invitations arrive; default invite-reply@ + first mail domain
	InboundToken secret.String       // bearer token of POST /rsvp/inbound; default: that route is closed
	AuthservID   string              // whose Authentication-Results headers are believed; default: none
	OIDCIssuer   string              // OpenID Connect issuer whose tokens are accepted
	OIDCClientID string              // the audience that its tokens must have
	SecretKeys   secret.String       // id:base64,… of 32 bytes each, the first seals; default: made once in DataDir
	RateLimit    int                 // requests per minute and caller; default 6,000, in the demo 600,000; negative: no limit
	OTLPEndpoint string              // base URL of an OpenTelemetry collector that takes OTLP over HTTP; default: no traces
	Guard        staff.Deactivations // how many people an API key, such as a SCIM client's, may deactivate
	Entra        EntraConfig         // Microsoft Entra, that follows the staff; default: none
	Demo         bool                // seed the demo company and accept its tokens; on a loopback address only
	Check        bool                // validate and stop
	LogLevel     string              // debug, info, warn or error; default info
	LogTo        io.Writer           // where the log goes; default standard error

	domainsByDefault bool // MailDomains are our guess, which what the directory knows goes before
}

// setting is one line of the documented list: a flag and the environment variable that means the same.
type setting struct {
	flag, env, help string
	set             func(*Config, string) error
}

// text sets a plain field.
func text[T ~string](field func(*Config) *T) func(*Config, string) error {
	return func(c *Config, v string) error {
		*field(c) = T(v)
		return nil
	}
}

// hidden sets a field that is never shown.
func hidden(field func(*Config) *secret.String) func(*Config, string) error {
	return func(c *Config, v string) error {
		*field(c) = secret.NewString(v)
		return nil
	}
}

func list(c *Config, v string) error {
	c.MailDomains = nil
	for d := range strings.SplitSeq(v, ",") {
		c.MailDomains = append(c.MailDomains, strings.TrimSpace(d))
	}
	return nil
}

func rate(c *Config, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return errors.New("it must be a whole number, 0 for no limit")
	}
	if c.RateLimit = n; n == 0 {
		c.RateLimit = -1
	}
	return nil
}

func guardCount(c *Config, v string) (err error) {
	if c.Guard.Count, err = strconv.Atoi(v); err != nil || c.Guard.Count < 1 {
		return errors.New("it must be a whole number above 0")
	}
	return nil
}

func guardShare(c *Config, v string) (err error) {
	if c.Guard.Share, err = strconv.ParseFloat(v, 64); err != nil || !(c.Guard.Share > 0 && c.Guard.Share <= 1) {
		return errors.New("it must be a number above 0 and at most 1")
	}
	return nil
}

func guardWindow(c *Config, v string) (err error) {
	if c.Guard.Window, err = time.ParseDuration(v); err != nil || c.Guard.Window < time.Minute {
		return errors.New("it must be a duration of at least 1m")
	}
	return nil
}

// settings is the documented list.
var settings = slices.Concat(serverSettings, entraSettings)

var serverSettings = []setting{
	{"listen", "RENKEI_LISTEN", "address to serve on (default 127.0.0.1:8080)", text(func(c *Config) *string { return &c.Listen })},
	{"database", "DATABASE_URL", "sqlite:FILE or postgres://… (default: SQLite in the data folder)", text(func(c *Config) *string { return &c.Database })},
	{"broker", "BROKER_URL", "nats://, kafka://, amqp(s):// or redis(s)://… (default: messages stay in the process)", text(func(c *Config) *string { return &c.Broker })},
	{"data-dir", "RENKEI_DATA_DIR", "folder of the server's files (default renkei-data)", text(func(c *Config) *string { return &c.DataDir })},
	{"public-url", "RENKEI_PUBLIC_URL", "how people reach the server, for links in mails", text(func(c *Config) *string { return &c.PublicURL })},
	{"tenant", "RENKEI_TENANT", "id of the organisation (default 1)", text(func(c *Config) *identity.TenantID { return &c.Tenant })},
	{"mail-domains", "RENKEI_MAIL_DOMAINS", "the organisation's mail domains, with commas between", list},
	{"smtp-url", "SMTP_URL", "smtp://, smtps:// or smtp+starttls:// with user:password@host:port (default: mails are kept for /mail-outbox)", text(func(c *Config) *string { return &c.SMTPURL })},
	{"slack-bot-token", "SLACK_BOT_TOKEN", "notices by Slack, to each person", hidden(func(c *Config) *secret.String { return &c.SlackToken })},
	{"slack-webhook-url", "SLACK_WEBHOOK_URL", "notices by Slack, into one channel", hidden(func(c *Config) *secret.String { return &c.SlackWebhook })},
	{"teams-webhook-url", "TEAMS_WEBHOOK_URL", "notices by Teams, into one channel", hidden(func(c *Config) *secret.String { return &c.TeamsWebhook })},
	{"allow-private-targets", "RENKEI_ALLOW_PRIVATE_TARGETS", "CIDR blocks that outgoing HTTP may reach beside the public Internet", text(func(c *Config) *string { return &c.AllowPrivate })},
	{"mail-from", "RENKEI_MAIL_FROM", "sender of every mail", text(func(c *Config) *string { return &c.MailFrom })},
	{"reply-address", "RENKEI_REPLY_ADDRESS", "where replies to invitations arrive", text(func(c *Config) *string { return &c.ReplyAddress })},
	{"inbound-token", "RENKEI_INBOUND_TOKEN", "bearer token of POST /rsvp/inbound", hidden(func(c *Config) *secret.String { return &c.InboundToken })},
	{"authserv-id", "RENKEI_AUTHSERV_ID", "whose Authentication-Results headers are believed", text(func(c *Config) *string { return &c.AuthservID })},
	{"oidc-issuer", "OIDC_ISSUER", "OpenID Connect issuer whose tokens are accepted", text(func(c *Config) *string { return &c.OIDCIssuer })},
	{"oidc-client-id", "OIDC_CLIENT_ID", "the audience that its tokens must have", text(func(c *Config) *string { return &c.OIDCClientID })},
	{"secret-keys", "RENKEI_SECRET_KEYS", "id:base64,… of 32 bytes each; the first one seals (default: made once in the data folder)", hidden(func(c *Config) *secret.String { return &c.SecretKeys })},
	{"rate-limit", "RENKEI_RATE_LIMIT", "requests per minute and caller, 0 for no limit (default 6000, in the demo 600000)", rate},
	{"deactivations-count", "RENKEI_DEACTIVATIONS_COUNT", "how many people one API key, such as a SCIM client's, may deactivate in a window without being let (default 5), or", guardCount},
	{"deactivations-share", "RENKEI_DEACTIVATIONS_SHARE", "this share of the active people if that is more (default 0.05); never more than half", guardShare},
	{"deactivations-window", "RENKEI_DEACTIVATIONS_WINDOW", "the window, such as 24h (default 24h)", guardWindow},
	{"otlp-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "base URL of an OpenTelemetry collector that takes OTLP over HTTP; the other OTEL_ variables hold too (default: no traces)", text(func(c *Config) *string { return &c.OTLPEndpoint })},
	{"log-level", "RENKEI_LOG_LEVEL", "debug, info, warn or error (default info)", text(func(c *Config) *string { return &c.LogLevel })},
}

// demoEnv is --demo as an environment variable. It is no line of the list, because the flag takes no value.
const demoEnv = "RENKEI_DEMO"

// Parse reads flags, and the environment ("NAME=value" each, as os.Environ gives it) for what no flag says. A variable
// that looks like a setting and is none is an error, lest a slip of the pen be a setting that is silently not there.
// The errors are for people; they never repeat a value.
func Parse(args, environ []string, usage io.Writer) (Config, []string, error) {
	var c Config
	if err := c.fromEnvironment(environ); err != nil {
		return Config{}, nil, err
	}
	fs := flag.NewFlagSet("refserver", flag.ContinueOnError)
	fs.SetOutput(usage)
	fs.Usage = func() {
		fmt.Fprintf(usage, "Usage: refserver [command] [flags]\n%s; the default is serve\n", commandList)
		fs.PrintDefaults()
	}
	fs.BoolVar(&c.Demo, "demo", c.Demo, "seed the demo company and accept its tokens, on a loopback address ("+demoEnv+"=1)")
	fs.BoolVar(&c.Check, "check", false, "validate the settings and stop")
	var bad []error
	for _, s := range settings {
		fs.Func(s.flag, s.help+" ("+s.env+")", func(v string) error {
			if err := s.set(&c, v); err != nil { // kept from package flag, which would repeat the value
				bad = append(bad, badSetting("%s: %v", s.flag, err))
			}
			return nil
		})
	}
	if err := fs.Parse(args); err != nil {
		return Config{}, nil, err
	}
	return c, fs.Args(), errors.Join(bad...)
}

func badSetting(format string, args ...any) error {
	return fault.New(fault.Invalid, "bad_setting", fmt.Sprintf(format, args...))
}

func (c *Config) fromEnvironment(environ []string) error {
	known := map[string]setting{}
	for _, s := range settings {
		known[s.env] = s
	}
	var bad []error
	for _, line := range environ {
		name, v, _ := strings.Cut(line, "=")
		s, ok := known[name]
		switch {
		case v == "":
		case ok:
			if err := s.set(c, v); err != nil {
				bad = append(bad, badSetting("%s: %v", name, err))
			}
		case name == demoEnv:
			demo, err := strconv.ParseBool(v)
			if err != nil {
				bad = append(bad, badSetting(demoEnv+": it must be 1 or 0"))
			}
			c.Demo = demo
		case foreign(name):
			bad = append(bad, badSetting("%s: this version has no such setting; --help lists those it has", name))
		}
	}
	return errors.Join(bad...)
}

// foreign says whether a variable that is no setting means us all the same: a name of ours that is misspelt, or a part
// that this version lacks.
func foreign(name string) bool {
	return slices.ContainsFunc([]string{"RENKEI_", "OIDC_", "IMAP_", "ENTRA_"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// withDefaults fills in what the zero value means.
func (c Config) withDefaults() Config {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&c.Listen, "127.0.0.1:8080")
	def(&c.DataDir, "renkei-data")
	def(&c.Database, "sqlite:"+filepath.Join(c.DataDir, "renkei.db"))
	def((*string)(&c.Tenant), "1")
	def(&c.LogLevel, "info")
	if c.RateLimit == 0 {
		c.RateLimit = 6_000
		if c.Demo { // to be played with, and measured, by one person
			c.RateLimit = 600_000
		}
	}
	if c.Demo {
		if c.InboundToken.IsZero() {
			c.InboundToken = secret.NewString("demo-inbound")
		}
		def(&c.AuthservID, "mx.example.com")
	}
	if len(c.MailDomains) == 0 {
		c.MailDomains, c.domainsByDefault = []string{"localhost"}, !c.Demo
		if c.Demo {
			c.MailDomains = []string{demoDomain}
		}
	}
	def(&c.MailFrom, "Renkei <no-reply@"+c.MailDomains[0]+">")
	def(&c.ReplyAddress, "invite-reply@"+c.MailDomains[0])
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if c.LogTo == nil {
		c.LogTo = os.Stderr
	}
	return c
}
