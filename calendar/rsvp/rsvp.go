package rsvp

import (
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Decision is what became of a reply. The codes are stable.
type Decision string

// The decisions.
const (
	Applied        Decision = "applied"
	Duplicate      Decision = "duplicate"         // the same mail came before; nothing changed
	Stale          Decision = "stale"             // answers an older SEQUENCE of the event
	OutOfOrder     Decision = "out_of_order"      // older than an answer already known
	UnknownUID     Decision = "unknown_uid"       // no such event
	NotAnInstance  Decision = "not_an_occurrence" // RECURRENCE-ID names no occurrence
	NotInvited     Decision = "not_invited"       // a party crasher; the organizer may admit the reply
	SenderMismatch Decision = "sender_mismatch"   // somebody answers for somebody else
	Unverified     Decision = "unverified"        // the sender is not proven; the organizer may admit the reply
	Malformed      Decision = "malformed"         // cannot be read, or names another ORGANIZER
	NotAReply      Decision = "not_a_reply"       // nothing in it answers an invitation
	Cancelled      Decision = "cancelled"         // the event is
	Bounce         Decision = "bounce"            // an invitation came back; the guest is marked undeliverable
	Counter        Decision = "counter"           // proposes another time; the organizer accepts or declines it
	Refreshed      Decision = "refreshed"         // asked for the invitation, which was sent again
	RefreshLimited Decision = "refresh_limited"   // asked for it again within RefreshEvery
	RefreshRefused Decision = "refresh_refused"   // asked for it without holding one, or without proof
)

// Quarantined says whether the organizer may admit a reply that was decided so.
func (d Decision) Quarantined() bool { return d == Unverified || d == NotInvited }

// Settlement is what became of a counter-proposal.
type Settlement string

// The settlements. An empty one is none yet.
const (
	Accepted Settlement = "accepted" // the event moved to the proposed time
	Declined Settlement = "declined" // the guest was told so
)

// Trust is what proves who answered.
type Trust string

// The proofs.
const (
	TrustNone     Trust = "none"
	TrustAddress  Trust = "address"  // sent to the guest's own tagged reply address
	TrustAuthserv Trust = "authserv" // Authentication-Results of our own mail server (RFC 8601)
	TrustDKIM     Trust = "dkim"     // a signature that we verified, aligned with From (RFC 6376)
	TrustButton   Trust = "button"   // the token of a button in the invitation
	TrustInternal Trust = "internal" // the organizer, or somebody for them, admitted it
)

// Via is the road that an answer came by.
type Via string

// The roads.
const (
	ViaMail   Via = "mail"
	ViaButton Via = "button"
	ViaAPI    Via = "api"
)

// Limits of what is read and kept.
const (
	MaxMail    = 10 << 20  // bytes of a mail that Ingest takes
	MaxRaw     = 256 << 10 // bytes of a mail that the ledger keeps; the rest is cut off
	MaxReplies = 20        // replies in one mail; further ones are ignored
	MaxComment = 4 << 10   // bytes of a comment; the rest is cut off
)

// RefreshEvery is how often a guest gets the invitation to one event again who asks for it (REFRESH).
const RefreshEvery = time.Hour

// The faults of this package.
var (
	ErrTooLarge   = fault.New(fault.Invalid, "body_too_large", "the mail is larger than 10 MiB")
	ErrNotFound   = fault.New(fault.NotFound, "not_found", "there is no such event or reply")
	ErrToken      = fault.New(fault.NotFound, "unknown_token", "this link is not valid")
	ErrPartstat   = fault.New(fault.Invalid, "invalid_partstat", "the answer must be ACCEPTED, TENTATIVE or DECLINED")
	ErrNotPending = fault.New(fault.Conflict, "reply_not_quarantined", "only a quarantined reply can be admitted")
	ErrNoProposal = fault.New(fault.Conflict, "not_a_proposal", "this reply proposes no other time")
	ErrSettled    = fault.New(fault.Conflict, "proposal_settled", "the proposal was accepted or declined already")
	ErrStale      = fault.New(fault.Conflict, "proposal_stale", "the event or its list of guests has changed since the proposal")
	ErrExpired    = fault.New(fault.Conflict, "link_expired", "this link has expired")
	ErrRevoked    = fault.New(fault.Conflict, "link_revoked", "this link is not valid any more")
	ErrNotAdmin   = fault.New(fault.Forbidden, "admin_only", "only an administrator may do this")
)

// Entry is a row of the ledger: one reply and what became of it.
type Entry struct {
	ID          string // UUIDv7
	Tenant      identity.TenantID
	EventID     string // empty: no event was found
	UID         string // as claimed, cut at 255 bytes
	ReceivedAt  time.Time
	Attendee    string // who answers, in the form of identity.NormalEmail; empty: nobody is named
	From        string // of the mail; empty: none, or not exactly one
	Partstat    calendar.Partstat
	Comment     string
	DelegatedTo string
	Counter     bool // proposes another time instead of answering
	Decision    Decision
	Trust       Trust
	Via         Via
	Sequence    int       // the event's when the reply has none
	Stamp       time.Time // DTSTAMP, else the mail's Date
	ReplyTime   time.Time // the tie-break
	MessageID   string    // SHA-256 of the Message-ID, in hex; empty: none
	ContentHash string    // SHA-256 of what the mail says, in hex; empty: not by mail
	Detail      string    // in words, for people; holds nothing of the mail but proposed times
	Admits      string    // the entry that this one admitted
	AdmittedBy  string    // who admitted this one; empty: nobody
	AdmittedAt  time.Time

	// Of a Counter whose event is known: the proposed time, zero when it names none, and what became of it. Sequence is
	// the event's that it is about.
	Proposed  calendar.Span
	Settled   Settlement
	SettledBy string // who settled it; empty: nobody
	SettledAt time.Time
}

// Outcome is what became of a mail or a click. Of a mail with several replies it is the first one's; all are in the
// ledger.
type Outcome struct {
	ReplyID  string
	Decision Decision
	EventID  string
	Attendee string
	Partstat calendar.Partstat
	Trust    Trust
	Detail   string
}

func (e Entry) outcome() Outcome {
	return Outcome{ReplyID: e.ID, Decision: e.Decision, EventID: e.EventID, Attendee: e.Attendee, Partstat: e.Partstat, Trust: e.Trust, Detail: e.Detail}
}
