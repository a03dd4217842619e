package outboxbun

import (
	"embed"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

//go:embed migrations
var files embed.FS

// Migrations makes the tables transport_….
var Migrations = sqldb.Migration{Name: "transport", FS: files}

// Topic is what Publish wakes (sqldb.DB.Wake) after the commit.
const Topic = "outbox"

// Store implements transport.Outbox, OutboxStore, Inbox and PoisonStore. It is safe for concurrent use.
type Store struct {
	db    *sqldb.DB
	now   func() time.Time
	newID func() string
	floor floor
}

var (
	_ transport.Outbox      = (*Store)(nil)
	_ transport.OutboxStore = (*Store)(nil)
	_ transport.Inbox       = (*Store)(nil)
	_ transport.PoisonStore = (*Store)(nil)
)

// Option changes a Store.
type Option func(*Store)

// Now sets the clock that stamps events; default db.Clock. Leases and pruning go by the database's clock.
func Now(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// NewID sets what makes ids; default UUIDv7.
func NewID(newID func() string) Option { return func(s *Store) { s.newID = newID } }

// New makes a Store on a database that has the Migrations.
func New(db *sqldb.DB, opts ...Option) *Store {
	s := &Store{db: db, now: db.Clock, newID: func() string { return uuid.Must(uuid.NewV7()).String() }}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Woken receives after commits that published, for RelayConfig.Woken.
func (s *Store) Woken() <-chan struct{} { return s.db.Woken(Topic) }
