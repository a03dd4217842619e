package slack

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport/chat"
)

// people remembers the direct message channels of people, and for a while who is unknown.
type people struct {
	keep time.Duration
	now  func() time.Time
	find func(ctx context.Context, email string) (string, error)

	mu    sync.Mutex
	known map[string]person
}

type person struct {
	channel string
	err     error
	until   time.Time
}

const (
	mostPeople  = 10_000
	keepUnknown = 10 * time.Minute // somebody may just be joining
)

// channel returns the direct message channel of who has the address.
func (p *people) channel(ctx context.Context, email string) (string, error) {
	email = identity.NormalEmail(email)
	if email == "" {
		return "", chat.Refuse(chat.ErrPerson, "no_address")
	}
	if found, ok := p.recall(email); ok {
		return found.channel, found.err
	}
	channel, err := p.find(ctx, email)
	switch {
	case err == nil:
		p.remember(email, person{channel: channel, until: p.now().Add(p.keep)})
	case errors.Is(err, chat.ErrPerson):
		p.remember(email, person{err: err, until: p.now().Add(min(keepUnknown, p.keep))})
	}
	return channel, err
}

func (p *people) recall(email string) (person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.known[email]
	return found, ok && p.now().Before(found.until)
}

func (p *people) remember(email string, found person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= mostPeople {
		now := p.now()
		for e, old := range p.known {
			if !now.Before(old.until) {
				delete(p.known, e)
			}
		}
		if len(p.known) >= mostPeople {
			clear(p.known) // rarer than it is worth a list by age
		}
	}
	p.known[email] = found
}

func (p *people) forget(email string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, identity.NormalEmail(email))
}
