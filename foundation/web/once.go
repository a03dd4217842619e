package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Once is for plain handlers what Use does by itself for operations: it runs answer for a POST with an Idempotency-Key of by
// once, and replays what was answered. A request without a key, or without a store, is just answered. It returns what
// IdempotencyStore.Begin does, ErrIdempotencyKey, ErrIdempotencyUnsupported or ErrBodyTooLarge, for the caller to answer;
// answer has not run then. The body may have at most DefaultMaxBody bytes.
func Once(store IdempotencyStore, by identity.Principal, w http.ResponseWriter, r *http.Request, answer func(w http.ResponseWriter, r *http.Request)) error {
	key := r.Header.Get(HeaderIdempotencyKey)
	if store == nil || key == "" || r.Method != http.MethodPost {
		answer(w, r)
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, DefaultMaxBody))
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return ErrBodyTooLarge
	}
	if err != nil {
		return ErrMalformedJSON.Because(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c, err := claimOf(by, r.Method+" "+r.URL.Path, key, *r.URL, r.Header.Get("Content-Type"), body)
	if err != nil {
		return err
	}
	_, _, newID := defaults(nil, nil, nil)
	c.Token, c.Lease, c.Keep = newID(), defaultLease, defaultKeep
	kept, err := store.Begin(r.Context(), c)
	if err != nil {
		return err
	}
	if kept != nil {
		w.Header().Set("Idempotency-Replayed", "true")
		kept.write(w)
		return nil
	}
	onceFirst(store, c, w, r, answer)
	return nil
}

func onceFirst(store IdempotencyStore, c Claim, w http.ResponseWriter, r *http.Request, answer func(w http.ResponseWriter, r *http.Request)) {
	held := &heldAnswer{header: http.Header{}}
	answered := false
	defer func() {
		settle, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), settleTime)
		defer cancel()
		var err error
		if a := held.answer(); answered && keepable(a.Status) {
			err = store.Complete(settle, c, a)
		} else {
			err = store.Release(settle, c)
		}
		if err != nil { // the effect has happened: the client must hear of it
			slog.ErrorContext(r.Context(), "an idempotency key could not be settled", "request_id", identity.RequestID(r.Context()), "error", err)
		}
		if answered {
			maps.Copy(w.Header(), held.header)
			a := held.answer()
			a.Header = nil
			a.write(w)
		}
	}()
	answer(held, r)
	answered = true
}

func (a Answer) write(w http.ResponseWriter) {
	for name, v := range a.Header {
		w.Header().Set(name, v)
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// heldAnswer holds an answer back until it is kept.
type heldAnswer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *heldAnswer) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

func (h *heldAnswer) answer() Answer { return answerOf(h.status, h.header, h.body.Bytes()) }
