package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/renkei-go/renkei/transport/webhook"
)

const (
	whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	plain = "your-webhook-secret"
)

// signed makes a request as another implementation would.
func signed(secret, id string, at time.Time, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	wh, err := standard.NewWebhook(secret)
	if !strings.HasPrefix(secret, "whsec_") {
		wh, err = standard.NewWebhookRaw([]byte(secret))
	}
	if err != nil {
		panic(err)
	}
	signature, err := wh.Sign(id, at, []byte(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	return r
}

func legacy(secret, body string) *http.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Webhook-Signature", hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("X-Webhook-Event", "whatever")
	return r
}

var now = time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC)

const body = `{"event":"person.updated","timestamp":"2024-01-15T10:30:00Z","organisation_id":1,"data":{"id":1,"first_name":"John"}}`

func TestVerify(t *testing.T) {
	with := func(r *http.Request, name, value string) *http.Request {
		r.Header.Set(name, value)
		return r
	}
	without := func(r *http.Request, name string) *http.Request {
		r.Header.Del(name)
		return r
	}
	other := webhook.NewSecret().Reveal()
	for name, c := range map[string]struct {
		r       *http.Request
		secrets []string
		err     error
	}{
		"standard":                       {signed(whsec, "e1", now, body), []string{whsec}, nil},
		"a secret of another form":       {signed(plain, "e1", now, body), []string{plain}, nil},
		"the old secret":                 {signed(whsec, "e1", now, body), []string{other, whsec}, nil},
		"one of several signatures":      {with(signed(whsec, "e1", now, body), "webhook-signature", "v1a,xx v1,AAAA junk "+signed(whsec, "e1", now, body).Header.Get("webhook-signature")), []string{whsec}, nil},
		"at the edge":                    {signed(whsec, "e1", now.Add(-5*time.Minute), body), []string{whsec}, nil},
		"the other edge":                 {signed(whsec, "e1", now.Add(5*time.Minute), body), []string{whsec}, nil},
		"the seed's":                     {legacy(plain, body), []string{plain}, nil},
		"the seed's in upper case":       {with(legacy(plain, body), "X-Webhook-Signature", strings.ToUpper(legacy(plain, body).Header.Get("X-Webhook-Signature"))), []string{plain}, nil},
		"the seed's, whsec_":             {legacy(whsec, body), []string{other, whsec}, nil},
		"another secret":                 {signed(whsec, "e1", now, body), []string{other}, webhook.ErrSignature},
		"no secret":                      {signed(whsec, "e1", now, body), nil, webhook.ErrSecret},
		"a bad secret":                   {signed(whsec, "e1", now, body), []string{"whsec_short"}, webhook.ErrSecret},
		"an empty secret":                {signed(whsec, "e1", now, body), []string{whsec, ""}, webhook.ErrSecret},
		"no signature":                   {httptest.NewRequest("POST", "/", strings.NewReader(body)), []string{whsec}, webhook.ErrNoSignature},
		"no id":                          {without(signed(whsec, "e1", now, body), "webhook-id"), []string{whsec}, webhook.ErrNoSignature},
		"no timestamp":                   {without(signed(whsec, "e1", now, body), "webhook-timestamp"), []string{whsec}, webhook.ErrNoSignature},
		"another id":                     {with(signed(whsec, "e1", now, body), "webhook-id", "e2"), []string{whsec}, webhook.ErrSignature},
		"another timestamp":              {with(signed(whsec, "e1", now, body), "webhook-timestamp", "1705314601"), []string{whsec}, webhook.ErrSignature},
		"a timestamp that is none":       {with(signed(whsec, "e1", now, body), "webhook-timestamp", "now"), []string{whsec}, webhook.ErrSignature},
		"a bare signature":               {with(signed(whsec, "e1", now, body), "webhook-signature", "v1,"), []string{whsec}, webhook.ErrSignature},
		"too old":                        {signed(whsec, "e1", now.Add(-5*time.Minute-time.Second), body), []string{whsec}, webhook.ErrTimestamp},
		"too new":                        {signed(whsec, "e1", now.Add(5*time.Minute+time.Second), body), []string{whsec}, webhook.ErrTimestamp},
		"no webhook":                     {signed(whsec, "e1", now, "{}"), []string{whsec}, webhook.ErrBody},
		"no JSON":                        {signed(whsec, "e1", now, "x"), []string{whsec}, webhook.ErrBody},
		"the seed's, altered":            {with(legacy(plain, body), "X-Webhook-Signature", strings.Repeat("0", 64)), []string{plain}, webhook.ErrSignature},
		"the seed's, no hex":             {with(legacy(plain, body), "X-Webhook-Signature", "sha256=abc"), []string{plain}, webhook.ErrSignature},
		"the seed's, recorded yesterday": {legacy(plain, strings.Replace(body, "01-15", "01-14", 1)), []string{plain}, webhook.ErrTimestamp},
		"the standard one decides":       {with(legacy(plain, body), "webhook-signature", "v1,AAAA"), []string{plain}, webhook.ErrNoSignature},
	} {
		ev, err := webhook.Verifier{Now: func() time.Time { return now }}.Verify(c.r, c.secrets...)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
		if c.err != nil {
			continue
		}
		var data struct {
			FirstName string `json:"first_name"`
		}
		if err := ev.Decode(&data); err != nil || data.FirstName != "John" || ev.Type != "person.updated" || ev.OrganisationID != "1" || !ev.Time.Equal(now) {
			t.Errorf("%s: %+v, %v", name, ev, err)
		}
		if again, err := io.ReadAll(c.r.Body); err != nil || string(again) != body {
			t.Errorf("%s: the body is gone: %q, %v", name, again, err)
		}
	}
}

func TestVerifyReadsNoMoreThanItMust(t *testing.T) {
	v := webhook.Verifier{MaxBody: int64(len(body)), Now: func() time.Time { return now }}
	if _, err := v.Verify(signed(whsec, "e1", now, body), whsec); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	v.MaxBody--
	chunked := signed(whsec, "e1", now, body)
	chunked.ContentLength = -1
	limited := signed(whsec, "e1", now, body)
	limited.ContentLength = -1
	limited.Body = http.MaxBytesReader(nil, limited.Body, 10)
	for name, r := range map[string]*http.Request{"announced": signed(whsec, "e1", now, body), "chunked": chunked, "limited by the server": limited} {
		if _, err := v.Verify(r, whsec); !errors.Is(err, webhook.ErrBodyTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := signed(whsec, "e1", now, body)
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), &failing{}))
	if _, err := webhook.Verify(broken, whsec); !errors.Is(err, webhook.ErrBody) {
		t.Errorf("broken: %v", err)
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func FuzzVerify(f *testing.F) {
	good := signed(whsec, "e1", now, body)
	f.Add("e1", good.Header.Get("webhook-timestamp"), good.Header.Get("webhook-signature"), "", []byte(body))
	f.Add("", "", "", legacy(whsec, body).Header.Get("X-Webhook-Signature"), []byte(body))
	f.Add("e1", "-9223372036854775808", "v1, v1,= v1,AAAA", "zz", []byte(`{"event":1}`))
	accepted := map[string]bool{"e1" + good.Header.Get("webhook-timestamp") + body: true}
	f.Fuzz(func(t *testing.T, id, timestamp, signature, seed string, text []byte) {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(text))
		for name, value := range map[string]string{"Webhook-Id": id, "Webhook-Timestamp": timestamp, "Webhook-Signature": signature, "X-Webhook-Signature": seed} {
			r.Header[name] = []string{value}
		}
		_, err := webhook.Verifier{Now: func() time.Time { return now }}.Verify(r, whsec)
		if err == nil && !accepted[id+timestamp+string(text)] && string(text) != body {
			t.Fatalf("forged: %q %q %q %q %q", id, timestamp, signature, seed, text)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	r := signed(whsec, "e1", now, body)
	v := webhook.Verifier{Now: func() time.Time { return now }}
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(body))
		if _, err := v.Verify(r, whsec); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleVerify() {
	secret := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)) // what Subscribe returned
	receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ev, err := webhook.Verify(r, secret)
		if err != nil {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		var person struct{ ID int }
		if err := ev.Decode(&person); err != nil {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		fmt.Println(ev.ID, ev.Type, ev.OrganisationID, person.ID)
		w.WriteHeader(http.StatusNoContent)
	})
	w := httptest.NewRecorder()
	receiver.ServeHTTP(w, signed(secret, "0197", time.Now(), `{"event":"person.updated","timestamp":"2024-01-15T10:30:00Z","organisation_id":1,"data":{"id":7}}`))
	fmt.Println(w.Code)
	// Output:
	// 0197 person.updated 1 7
	// 204
}
