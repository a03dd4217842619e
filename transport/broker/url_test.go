package broker_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/transport/broker"
)

func TestParseURL(t *testing.T) {
	u, err := broker.ParseURL("NATS://me:p%40ss@one,two:5,[::1]/a/b?tls=true", "4222", "tls")
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	if u.Scheme != "nats" || strings.Join(u.Hosts, " ") != "one:4222 two:5 [::1]:4222" || u.User.Username() != "me" || password != "p@ss" ||
		u.Path != "/a/b" || u.Query.Get("tls") != "true" {
		t.Errorf("got %+v", u)
	}
	for _, bad := range []string{
		"", "nats", "nats:", "nats://", "://host", "nats://,", "nats://one,", "nats://one:x", "nats://one?tsl=true", "nats://one#f",
		"nats://one?tls=%zz", "nats://a b", "nats://user:secret@:4222", "1:secret://host", "nats://secret%zz@host",
	} {
		_, err := broker.ParseURL(bad, "4222", "tls")
		if !errors.Is(err, broker.ErrInvalidURL) {
			t.Errorf("%q: %v", bad, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q is repeated: %v", bad, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"nats://one,two:5?tls=true", "amqp://u:p@h:1/v%2Fhost", "redis://[::1]:6379/0", "kafka://a@b@c,d", "://", "x://?#", "a://::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := broker.ParseURL(raw, "4222", "tls")
		if err != nil {
			if !errors.Is(err, broker.ErrInvalidURL) {
				t.Fatalf("a foreign error: %v", err)
			}
			return
		}
		if u.Scheme == "" || len(u.Hosts) == 0 {
			t.Fatalf("accepted without scheme or host: %+v", u)
		}
		for _, host := range u.Hosts {
			if !strings.Contains(host, ":") || strings.HasPrefix(host, ":") {
				t.Fatalf("host %q", host)
			}
		}
	})
}
