package broker

import (
	"context"
	"net/url"
	"strings"
)

// Opener makes the Broker for a URL; each adapter's Open is one. It checks the URL and does not connect. Ctx bounds the
// opening only.
type Opener func(ctx context.Context, url string, o Options) (*Broker, error)

// Open makes the Broker for the URL by the opener of its scheme:
//
//	broker.Open(ctx, os.Getenv("BROKER_URL"), broker.Options{}, map[string]broker.Opener{
//		"nats": nats.Open, "kafka": kafka.Open, "amqp": amqp.Open, "amqps": amqp.Open, "redis": redis.Open,
//	})
//
// It returns ErrUnknownScheme, ErrInvalidURL or ErrInvalidConfig.
func Open(ctx context.Context, rawURL string, o Options, openers map[string]Opener) (*Broker, error) {
	scheme, _, found := strings.Cut(rawURL, "://")
	if !found {
		return nil, ErrInvalidURL
	}
	open := openers[strings.ToLower(scheme)]
	if open == nil {
		return nil, ErrUnknownScheme
	}
	return open(ctx, rawURL, o)
}

// URL is the address of a broker that may have several hosts: scheme://user:password@host:port,host:port/path?query.
type URL struct {
	Scheme string // lower case
	User   *url.Userinfo
	Hosts  []string // host:port
	Path   string
	Query  url.Values
}

// ParseURL takes a URL apart. Hosts without a port get the given one. A query parameter that is not among those allowed
// is an error, so that a misspelt one is noticed. It returns ErrInvalidURL.
func ParseURL(rawURL, port string, allowed ...string) (URL, error) {
	scheme, rest, found := strings.Cut(rawURL, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	login, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		login, hosts = authority[:i+1], authority[i+1:]
	}
	if !found || scheme == "" {
		return URL{}, ErrInvalidURL
	}
	var parsed URL
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse(scheme + "://" + login + host + tail)
		if err != nil || u.Hostname() == "" || u.Fragment != "" || strings.Contains(u.Hostname(), ":") && u.Host[0] != '[' {
			return URL{}, ErrInvalidURL // the error would repeat the URL
		}
		if u.Port() == "" {
			u.Host += ":" + port
		}
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			return URL{}, ErrInvalidURL
		}
		parsed = URL{Scheme: strings.ToLower(scheme), User: u.User, Hosts: append(parsed.Hosts, u.Host), Path: u.Path, Query: query}
	}
	for name := range parsed.Query {
		known := false
		for _, a := range allowed {
			known = known || a == name
		}
		if !known {
			return URL{}, ErrInvalidURL.WithField("query", "has an unknown parameter")
		}
	}
	return parsed, nil
}
