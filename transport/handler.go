package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
)

// handler is one registered Handler with the events that wait for it.
type handler struct {
	router  *Router
	name    string
	pattern string
	handle  BatchHandler

	mu      sync.Mutex
	waiting []job
	workers int // goroutines that empty waiting
}

type job struct {
	ev   Event
	done chan error
}

// errAlone tells a job that the shared transaction failed and it must go by itself.
var errAlone = errors.New("transport: to be handled alone")

// receive is Watermill's side, with the context of Run: nil acknowledges, an error has the message delivered again.
func (h *handler) receive(ctx context.Context, msg *message.Message) error {
	if !matches(h.pattern, msg.Metadata[MetaType]) && msg.Metadata[MetaType] != "" {
		return nil
	}
	ev, err := FromMessage(msg)
	if err != nil {
		return h.bury(ctx, malformed(msg), err, 1)
	}
	if h.router.Batch == 1 {
		return h.alone(ctx, ev)
	}
	if err := h.together(ctx, ev); !errors.Is(err, errAlone) {
		return err
	}
	return h.alone(ctx, ev)
}

// together joins the event to those waiting, which share a transaction. There is no timer: whatever has come while a
// transaction was running makes up the next one.
func (h *handler) together(ctx context.Context, ev Event) error {
	j := job{ev, make(chan error, 1)}
	h.mu.Lock()
	h.waiting = append(h.waiting, j)
	if h.workers < h.router.Concurrency {
		h.workers++
		go h.work(ctx)
	}
	h.mu.Unlock()
	return <-j.done
}

// work lives as long as something waits.
func (h *handler) work(ctx context.Context) {
	for {
		h.mu.Lock()
		n := min(len(h.waiting), h.router.Batch)
		if n == 0 {
			h.workers--
			h.mu.Unlock()
			return
		}
		jobs := append([]job(nil), h.waiting[:n]...)
		h.waiting = append(h.waiting[:0], h.waiting[n:]...)
		h.mu.Unlock()

		events := make([]Event, n)
		for i, j := range jobs {
			events[i] = j.ev
		}
		err := h.once(ctx, events...)
		if err != nil {
			err = errAlone
		}
		for _, j := range jobs {
			j.done <- err
		}
	}
}

// once handles the events that are new, in one transaction.
func (h *handler) once(ctx context.Context, events ...Event) error {
	ctx, cancel := context.WithTimeout(ctx, h.router.Timeout)
	defer cancel()
	ids := make([]string, len(events))
	for i, ev := range events {
		ids[i] = ev.ID
	}
	return h.router.DB.Do(ctx, func(ctx context.Context) error {
		fresh, err := h.router.Inbox.Mark(ctx, h.name, ids...)
		if err != nil {
			return err
		}
		return h.handle(ctx, only(fresh, events))
	})
}

// only returns the events that have the ids, which are in their order.
func only(ids []string, events []Event) []Event {
	some := make([]Event, 0, len(ids))
	for _, ev := range events {
		if len(some) < len(ids) && ev.ID == ids[len(some)] {
			some = append(some, ev)
		}
	}
	return some
}

// each makes a Handler handle a batch.
func (h *handler) each(handle Handler) BatchHandler {
	return func(ctx context.Context, events []Event) error {
		for _, ev := range events {
			ctx, ev, end := h.router.watched.handle(ctx, h.name, ev)
			err := h.safely(ctx, []Event{ev}, func(ctx context.Context, _ []Event) error { return handle(ctx, ev) })
			if end(err); err != nil {
				return err
			}
		}
		return nil
	}
}

// all watches over a BatchHandler.
func (h *handler) all(handle BatchHandler) BatchHandler {
	return func(ctx context.Context, events []Event) error {
		if len(events) == 0 {
			return nil
		}
		events, end := h.router.watched.handleAll(ctx, h.name, events)
		err := h.safely(ctx, events, handle)
		end(err)
		return err
	}
}

// safely makes a panic an error, so that one bad event does not end the process.
func (h *handler) safely(ctx context.Context, events []Event, handle BatchHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			h.router.Logger.ErrorContext(ctx, "transport: handler panicked", "handler", h.name, "event", events[0].ID, "events", len(events),
				"panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("the handler panicked: %v", p)
		}
	}()
	return handle(ctx, events)
}

// alone handles the event in a transaction of its own until it succeeds or is given up.
func (h *handler) alone(ctx context.Context, ev Event) error {
	for tries := 1; ; tries++ {
		err := h.once(ctx, ev)
		if err == nil || ctx.Err() != nil {
			return err
		}
		delay, again := h.router.Retry(tries, err)
		if !again {
			buryErr := h.bury(ctx, ev, err, tries)
			if buryErr == nil || ctx.Err() != nil {
				return buryErr
			}
			delay = time.Second // the database is away: neither the effect nor the failure can be written down
		}
		h.router.Logger.WarnContext(ctx, "transport: handler failed, trying again", "handler", h.name, "event", ev.ID, "type", ev.Type, "tries", tries, "error", err)
		pause(ctx, delay)
	}
}

// bury writes the failure down. The inbox counts it as handled, so that a redelivery does not start over.
func (h *handler) bury(ctx context.Context, ev Event, cause error, tries int) error {
	err := h.router.DB.Do(ctx, func(ctx context.Context) error {
		fresh, err := h.router.Inbox.Mark(ctx, h.name, ev.ID)
		if err != nil || len(fresh) == 0 {
			return err
		}
		return h.router.Poison.Bury(ctx, Poisoned{Handler: h.name, Event: ev, Reason: reason(cause), Tries: tries})
	})
	if err == nil {
		h.router.watched.poison(ctx, h.name)
		h.router.Logger.ErrorContext(ctx, "transport: event poisoned", "handler", h.name, "event", ev.ID, "type", ev.Type, "tries", tries, "error", cause)
	}
	return err
}

// malformed keeps what can be kept of a message that is no event.
func malformed(msg *message.Message) Event {
	clean := func(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "?") }
	id := clean(msg.Metadata[MetaID])
	if id == "" {
		id = clean(msg.UUID)
	}
	ev := Event{ID: id, Type: clean(msg.Metadata[MetaType]), Subject: clean(msg.Metadata[MetaSubject])}
	if json.Valid(msg.Payload) && utf8.Valid(msg.Payload) {
		ev.Data = json.RawMessage(msg.Payload)
	} else {
		ev.Data = map[string][]byte{"payload": msg.Payload}
	}
	return ev
}
