package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/telemetry"
	"github.com/renkei-go/renkei/transport/delivery"
)

// headerTrace is W3C Trace Context in net/http's spelling.
const headerTrace = "Traceparent"

const (
	headBytes  = 1 << 10  // of an answer, kept
	drainBytes = 64 << 10 // of an answer, read so that its connection can be used again
)

// send is the delivery.Sender: one POST.
func (s *Service) send(ctx context.Context, d delivery.Delivery) delivery.Result {
	t, err := s.target(ctx, d.Tenant, d.Destination)
	if err == nil {
		return s.post(ctx, t, d)
	}
	switch {
	case errors.Is(err, ErrUnknown):
		return delivery.Cancel("the subscription is gone")
	case fault.CodeOf(err) == fault.Invalid:
		return delivery.Fail(refusal(err))
	}
	s.cfg.Logger.ErrorContext(ctx, "a subscription could not be read", "subscription", d.Destination, "error", err)
	return delivery.Retry(errors.New("the subscription could not be read"))
}

func (s *Service) post(ctx context.Context, t target, d delivery.Delivery) (result delivery.Result) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if s.cfg.Tracer != nil {
		var span trace.Span
		ctx, span = s.tracer.Start(ctx, http.MethodPost, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("http.request.method", http.MethodPost), attribute.String("server.address", t.url.Hostname()),
			attribute.String("url.scheme", t.url.Scheme),
		))
		defer func() {
			if status := result.Status(); status != 0 {
				span.SetAttributes(attribute.Int("http.response.status_code", status))
			}
			telemetry.End(span, result.Err())
		}()
	}
	resp, err := s.transport.RoundTrip(s.request(ctx, t, d))
	if err != nil {
		return failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	result = delivery.FromStatus(resp.StatusCode, resp.Header, "")
	if resp.StatusCode >= 300 && resp.StatusCode <= 399 {
		result = delivery.Retry(errors.New("it answered with a redirect, and redirects are not followed"))
	}
	return result.WithAnswer(resp.StatusCode, s.head(resp, cancel))
}

// head reads the beginning of an answer and throws the rest away. An answer that does not end in time is cut off; its
// status stands.
func (s *Service) head(resp *http.Response, cut context.CancelFunc) string {
	if resp.ContentLength == 0 || resp.Body == http.NoBody {
		return ""
	}
	timer := time.AfterFunc(s.cfg.BodyTimeout, cut)
	defer timer.Stop()
	head := make([]byte, headBytes)
	n, err := io.ReadFull(resp.Body, head)
	if err == nil && resp.ContentLength <= drainBytes {
		_, _ = io.CopyN(io.Discard, resp.Body, drainBytes)
	}
	return string(head[:n])
}

func (s *Service) request(ctx context.Context, t target, d delivery.Delivery) *http.Request {
	timestamp, standard, legacy := signatures(t.valid(s.cfg.Now()), d.EventID, s.cfg.Stamp(), d.Payload)
	header := make(http.Header, 8+len(t.header))
	maps.Copy(header, t.header)
	agent := s.cfg.UserAgent
	if own := t.header.Get("User-Agent"); own != "" {
		agent = own
	}
	ours := [...]struct{ name, value string }{
		{"Content-Type", "application/json"}, {"User-Agent", agent}, {HeaderID, d.EventID}, {HeaderTimestamp, timestamp},
		{HeaderSignature, standard}, {HeaderLegacySignature, legacy}, {HeaderEvent, eventType(d.Payload)},
	}
	if parent := telemetry.Parent(ctx); parent != "" {
		header[headerTrace] = []string{parent}
	}
	values := make([]string, len(ours)) // one allocation for all
	for i, h := range ours {
		values[i] = h.value
		header[h.name] = values[i : i+1 : i+1]
	}
	body := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(d.Payload)), nil }
	r := &http.Request{
		Method: http.MethodPost, URL: t.url, Host: t.url.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(d.Payload)), GetBody: body,
	}
	r.Body, _ = body()
	return r.WithContext(ctx)
}

// eventType reads the type from a body of ours, whose first member it is.
func eventType(body []byte) string {
	if rest, ok := bytes.CutPrefix(body, []byte(`{"event":"`)); ok {
		if end := bytes.IndexAny(rest, `"\\`); end >= 0 && rest[end] == '"' {
			return string(rest[:end]) // nothing is escaped, as nearly always
		}
	}
	dec := json.NewDecoder(bytes.NewReader(body[:min(len(body), 512)]))
	for range 2 { // { and "event"
		if _, err := dec.Token(); err != nil {
			return ""
		}
	}
	value, _ := dec.Token()
	text, _ := value.(string)
	return text
}

// failed judges an attempt without an answer. What a guard refuses will be refused again; anything else may pass.
func failed(err error) delivery.Result {
	if fault.CodeOf(err) == fault.Invalid {
		return delivery.Fail(refusal(err))
	}
	return delivery.Retry(reason(err))
}

// refusal is a guard's error in words with its reason, without what it carries for the log.
func refusal(err error) error {
	f := fault.As(err)
	return errors.New(f.Reason + ": " + f.Message)
}

// reason says what happened on the network in words that hold neither addresses nor anything that the other side sent.
func reason(err error) error {
	var dns *net.DNSError
	var netErr net.Error
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return errors.New("the host's name is not known")
	case errors.As(err, &dns):
		return errors.New("the host's name could not be looked up")
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return errors.New("timed out")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("the connection was refused")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errors.New("the connection was reset")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was closed before an answer came")
	case errors.As(err, &verify):
		return errors.New("the certificate is not valid: " + certificateFault(verify.Err))
	case errors.As(err, &record), errors.As(err, &alert):
		return errors.New("the TLS handshake failed")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return errors.New("the host cannot be reached")
	}
	return errors.New("no valid HTTP answer came")
}

func certificateFault(err error) string {
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return "it is for another host"
	case errors.As(err, &authority):
		return "it is signed by an unknown authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired or is not valid yet"
	}
	return "it is refused"
}

// done keeps when deliveries to a subscription last ended, seldom enough that it costs nothing.
func (s *Service) done(ctx context.Context, ds []delivery.Delivery) error {
	last := map[string]*Outcome{}
	for _, d := range ds {
		if d.State != delivery.Succeeded && d.State != delivery.Dead || !s.noted.pass(d.Destination+"/"+string(d.State)) {
			continue
		}
		o := last[d.Destination]
		if o == nil {
			o = &Outcome{Scope: s.scope(d.Tenant), ID: d.Destination}
			last[d.Destination] = o
		}
		if d.State == delivery.Succeeded {
			o.SucceededAt = later(o.SucceededAt, d.FinishedAt)
		} else {
			o.FailedAt = later(o.FailedAt, d.FinishedAt)
		}
	}
	if len(last) == 0 {
		return nil
	}
	outcomes := make([]Outcome, 0, len(last))
	for _, o := range last {
		outcomes = append(outcomes, *o)
	}
	slices.SortFunc(outcomes, func(a, b Outcome) int { return cmp.Compare(a.ID, b.ID) }) // one order of locks for all nodes
	return s.cfg.Store.Note(ctx, outcomes)
}
