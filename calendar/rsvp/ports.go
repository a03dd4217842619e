package rsvp

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Events is what this package needs of the calendar; *calendar.Service is one. All methods join the transaction in ctx
// and make no network call.
type Events interface {
	// ByUID returns the event with all its attendees, locked until the transaction ends, or a fault with code NotFound.
	ByUID(ctx context.Context, tenant identity.TenantID, uid string) (calendar.Event, error)
	// ByID is ByUID for the id.
	ByID(ctx context.Context, tenant identity.TenantID, id string) (calendar.Event, error)
	// Get returns the event as by may see it, or a fault.
	Get(ctx context.Context, by identity.Principal, id string) (calendar.View, error)
	// ApplyReply stores the answer of a (Partstat, Comment and what orders replies) with the attendee of its Email.
	ApplyReply(ctx context.Context, tenant identity.TenantID, eventID string, a calendar.Attendee) error
	// AddAttendee puts a guest on the list whom by admitted as the organizer or for them. It is a change of the event like
	// another: it may be refused, or ask for consent.
	AddAttendee(ctx context.Context, by identity.Principal, eventID string, a calendar.Attendee) error
	// Update changes the event as by may, like any change of it.
	Update(ctx context.Context, by identity.Principal, id string, version int64, p calendar.Patch) (calendar.View, error)
	// DeclineCounter tells the attendee that by, as the organizer or for them, declined the time that they proposed.
	DeclineCounter(ctx context.Context, by identity.Principal, eventID, email string) error
	// Resend sends the present invitation once more to one of the event's Invitees.
	Resend(ctx context.Context, tenant identity.TenantID, eventID, email string) error
	// MarkUndeliverable notes that an invitation to the attendee bounced.
	MarkUndeliverable(ctx context.Context, tenant identity.TenantID, eventID, email string) error
}

// Ledger keeps every reply and its decision.
type Ledger interface {
	// Append adds an entry; raw is the mail, or nil.
	Append(ctx context.Context, e Entry, raw []byte) error
	// Seen says whether a mail with this Message-ID and content is in the ledger, and whether its sender was proven.
	Seen(ctx context.Context, tenant identity.TenantID, messageID, contentHash string) (seen, proven bool, err error)
	// Entry returns one entry, or ErrNotFound.
	Entry(ctx context.Context, tenant identity.TenantID, id string) (Entry, error)
	// Admitted notes who admitted an entry and when. It returns ErrNotPending when somebody has before.
	Admitted(ctx context.Context, tenant identity.TenantID, id, by string, at time.Time) error
	// Settled notes who settled a counter-proposal and when. It returns ErrSettled when somebody has before.
	Settled(ctx context.Context, tenant identity.TenantID, id string, as Settlement, by string, at time.Time) error
	// RefreshedAfter says whether an entry of the event and the attendee after t was decided Refreshed.
	RefreshedAfter(ctx context.Context, tenant identity.TenantID, eventID, attendee string, t time.Time) (bool, error)
	// Entries lists the entries of an event, or those of no event when eventID is empty, newest first; those of one
	// decision unless d is empty.
	Entries(ctx context.Context, tenant identity.TenantID, eventID string, d Decision, p page.Request) (page.Page[Entry], error)
	// Raw returns the mail of an entry, cut at MaxRaw, or ErrNotFound.
	Raw(ctx context.Context, tenant identity.TenantID, id string) ([]byte, error)
	// PruneRaw deletes up to limit mails that were received before t and says how many. Entries stay.
	PruneRaw(ctx context.Context, t time.Time, limit int) (int, error)
}

// TokenStore keeps the hashes of tokens.
type TokenStore interface {
	// PutToken adds a token or replaces the expiry of one that is there.
	PutToken(ctx context.Context, t Token) error
	// TokenByHash returns a token of any tenant, or ErrToken.
	TokenByHash(ctx context.Context, hash string) (Token, error)
	// LastToken returns the guest's token of the highest generation, or ErrToken.
	LastToken(ctx context.Context, tenant identity.TenantID, eventID, guest string, p Purpose) (Token, error)
	// RevokeTokens revokes the guest's tokens for the event, of every purpose.
	RevokeTokens(ctx context.Context, tenant identity.TenantID, eventID, guest string, at time.Time) error
	// PruneTokens deletes up to limit tokens that expired before t and says how many.
	PruneTokens(ctx context.Context, t time.Time, limit int) (int, error)
}

// Store is the persistence of this package. Implementations are safe for concurrent use; all methods join the
// transaction in ctx. Package rsvptest holds the suite that each must pass.
type Store interface {
	Ledger
	TokenStore
	// Do runs fn in the transaction that it finds in ctx, or in a new one.
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	// Now is the clock that tokens expire by.
	Now(ctx context.Context) (time.Time, error)
}
