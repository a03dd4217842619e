package notify

import (
	"context"
	"encoding/json"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport/delivery"
)

// Kind is the delivery kind of notices.
const Kind = "notice"

// DefaultChannel is used for people who have not chosen one.
const DefaultChannel = "mail"

// State is where a notice stands.
type State string

// The states. All but Pending are final.
const (
	Pending    State = "pending"    // waits, or is being sent
	Sent       State = "sent"       // a channel accepted it
	Suppressed State = "suppressed" // SuppressedBy was sent within the window
	Obsolete   State = "obsolete"   // it was true no more when it was to be sent, or was cancelled
	Dead       State = "dead"       // every channel failed; LastError says why
)

// The faults of this package.
var (
	ErrUnknown  = fault.New(fault.NotFound, "unknown_notice", "there is no such notice")
	ErrNotFinal = fault.New(fault.Conflict, "notice_pending", "a notice that is still on its way cannot be sent again")
	ErrTemplate = fault.New(fault.Internal, "unknown_template", "there is no such notice template")
	ErrNotice   = fault.New(fault.Internal, "invalid_notice", "a notice needs a tenant, a recipient and plain data")
	ErrSettings = fault.New(fault.Invalid, "invalid_notification_settings", "these notification settings are not possible")
	ErrNotOwn   = fault.New(fault.Forbidden, "own_settings_only", "notification settings are changed by their owner only")
)

// Notice is a stored notice.
type Notice struct {
	ID            string // UUIDv7
	Tenant        identity.TenantID
	Template      string
	Recipient     string // person id
	Subject       string // "<kind>/<id>"
	Data          json.RawMessage
	Critical      bool
	Informational bool // quiet hours and digests apply to it
	State         State
	Channels      []string // in the order in which they are tried
	Channel       string   // the one in use, or the last
	SuppressedBy  string   // the notice that was sent instead
	DigestID      string   // the informational notice in whose message it goes, often itself; empty until it is due
	LastError     string
	CreatedAt     time.Time
	SentAt        time.Time // when the channel accepted it
	ResendOf      string    // the notice that this one repeats; suppression does not apply
	ResentBy      string
	ResendKey     string
}

// Key returns what suppression compares.
func (n Notice) Key() Key { return Key{n.Tenant, n.Subject, n.Template, n.Recipient} }

// Key identifies notices that say the same: they suppress each other.
type Key struct {
	Tenant                       identity.TenantID
	Subject, Template, Recipient string
}

// Holder is a row of the suppression ledger.
type Holder struct {
	NoticeID   string
	AcceptedAt time.Time // zero while the notice is on its way
}

// Filter selects notices; empty fields select all.
type Filter struct {
	Recipient, Template, Subject string
	SubjectID                    string // the part of Subject after its first "/"
	State                        State
}

// Record is a notice with its timeline.
type Record struct {
	Notice
	Attempts  []Attempt // oldest first, over all channels
	NextRetry time.Time // while pending
}

// Attempt is one try by a channel.
type Attempt struct {
	Channel string
	delivery.Attempt
}

// Store keeps notices and the ledger. Package notifybun implements it for PostgreSQL and SQLite; any other has to pass
// the suite of package notifytest. Implementations are safe for concurrent use, and every method joins the transaction
// in ctx.
type Store interface {
	Notices
	Digests
	Ledger
	Preferences
	// Do runs fn in one transaction.
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	// Now returns the clock that all nodes share.
	Now(ctx context.Context) (time.Time, error)
}

// Notices keeps notices.
type Notices interface {
	// Insert adds notices, and leaves out one whose (Tenant, ResendOf, ResendKey) exists if ResendKey is set.
	Insert(ctx context.Context, ns []Notice) error
	// Get returns a notice, or ErrUnknown.
	Get(ctx context.Context, tenant identity.TenantID, id string) (Notice, error)
	// Resent returns the notice that repeats another under a key, or ErrUnknown.
	Resent(ctx context.Context, tenant identity.TenantID, id, key string) (Notice, error)
	// List returns notices, newest first.
	List(ctx context.Context, tenant identity.TenantID, f Filter, p page.Request) (page.Page[Notice], error)
	// Update writes State, Channel, SuppressedBy, DigestID, LastError and SentAt of a notice that is still
	// Pending and has the Channel given, and says whether it was.
	Update(ctx context.Context, n Notice, channel string) (bool, error)
	// Move writes Channels and Channel of a notice that is still Pending, has the Channel given and no DigestID, and says
	// whether it was.
	Move(ctx context.Context, n Notice, channel string) (bool, error)
	// PruneNotices deletes up to limit notices that were created before t and are not Pending.
	PruneNotices(ctx context.Context, t time.Time, limit int) (int, error)
}

// Digests keeps together what goes in one message.
type Digests interface {
	// Gather gives n and up to limit-1 others the DigestID n.ID, unless n has one: Pending informational notices of its
	// tenant, recipient and channel that were created before t and have none, oldest first. It returns the DigestID that n
	// has then, "" if n is Pending no more. Calls for the same person and channel follow each other.
	Gather(ctx context.Context, n Notice, t time.Time, limit int) (string, error)
	// Members returns the Pending notices with that DigestID, oldest first.
	Members(ctx context.Context, tenant identity.TenantID, digestID string) ([]Notice, error)
	// Leave takes that DigestID from those of the notices that are Pending and have it.
	Leave(ctx context.Context, tenant identity.TenantID, digestID string, ids ...string) error
}

// Preferences keeps people's settings.
type Preferences interface {
	// Settings returns those of the people who have any, in any order.
	Settings(ctx context.Context, tenant identity.TenantID, people []string) ([]Settings, error)
	// SetSettings writes the settings of a person.
	SetSettings(ctx context.Context, s Settings) error
}

// Ledger remembers per key who is on its way or was accepted last.
type Ledger interface {
	// LockKey makes transactions on one key follow each other. It needs a transaction.
	LockKey(ctx context.Context, k Key) error
	// Holder returns the row of a key, and whether there is one.
	Holder(ctx context.Context, k Key) (Holder, bool, error)
	// SetHolder writes the row of a key.
	SetHolder(ctx context.Context, k Key, h Holder) error
	// Release deletes the row if that notice holds it and is still on its way.
	Release(ctx context.Context, k Key, noticeID string) error
	// PruneLedger deletes up to limit rows that were accepted before t.
	PruneLedger(ctx context.Context, t time.Time, limit int) (int, error)
}
