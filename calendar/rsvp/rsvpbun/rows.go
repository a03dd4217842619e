package rsvpbun

import (
	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

type replyRow struct {
	bun.BaseModel `bun:"table:rsvp_replies"`

	Tenant      string     `bun:"tenant,pk"`
	ID          string     `bun:"id,pk"`
	EventID     string     `bun:"event_id"`
	UID         string     `bun:"uid"`
	ReceivedAt  sqldb.Time `bun:"received_at"`
	Attendee    string     `bun:"attendee"`
	Sender      string     `bun:"sender"`
	Partstat    string     `bun:"partstat"`
	Comment     string     `bun:"comment"`
	DelegatedTo string     `bun:"delegated_to"`
	Counter     bool       `bun:"counter"`
	Decision    string     `bun:"decision"`
	Trust       string     `bun:"trust"`
	Via         string     `bun:"via"`
	Sequence    int        `bun:"sequence"`
	Stamp       sqldb.Time `bun:"dtstamp"`
	ReplyTime   sqldb.Time `bun:"reply_time"`
	MessageID   string     `bun:"message_id"`
	ContentHash string     `bun:"content_hash"`
	Detail      string     `bun:"detail"`
	Admits      string     `bun:"admits"`
	AdmittedBy  string     `bun:"admitted_by"`
	AdmittedAt  sqldb.Time `bun:"admitted_at"`
	StartAt     sqldb.Time `bun:"proposed_start"`
	EndAt       sqldb.Time `bun:"proposed_end"`
	Settled     string     `bun:"settled"`
	SettledBy   string     `bun:"settled_by"`
	SettledAt   sqldb.Time `bun:"settled_at"`
}

type mailRow struct {
	bun.BaseModel `bun:"table:rsvp_mails"`

	Tenant     string     `bun:"tenant,pk"`
	ReplyID    string     `bun:"reply_id,pk"`
	ReceivedAt sqldb.Time `bun:"received_at"`
	Raw        []byte     `bun:"raw"`
}

type tokenRow struct {
	bun.BaseModel `bun:"table:rsvp_tokens"`

	Hash       string     `bun:"hash,pk"`
	Purpose    string     `bun:"purpose"`
	Tenant     string     `bun:"tenant"`
	EventID    string     `bun:"event_id"`
	Guest      string     `bun:"guest"`
	Generation int        `bun:"generation"`
	ExpiresAt  sqldb.Time `bun:"expires_at"`
	RevokedAt  sqldb.Time `bun:"revoked_at"`
}

func rowOf(e rsvp.Entry) replyRow {
	return replyRow{
		Tenant: string(e.Tenant), ID: e.ID, EventID: e.EventID, UID: e.UID, ReceivedAt: sqldb.At(e.ReceivedAt), Attendee: e.Attendee,
		Sender: e.From, Partstat: string(e.Partstat), Comment: e.Comment, DelegatedTo: e.DelegatedTo, Counter: e.Counter,
		Decision: string(e.Decision), Trust: string(e.Trust), Via: string(e.Via), Sequence: e.Sequence,
		Stamp: sqldb.At(e.Stamp), ReplyTime: sqldb.At(e.ReplyTime), MessageID: e.MessageID, ContentHash: e.ContentHash,
		Detail: e.Detail, Admits: e.Admits, AdmittedBy: e.AdmittedBy, AdmittedAt: sqldb.At(e.AdmittedAt),
		StartAt: sqldb.At(e.Proposed.Start), EndAt: sqldb.At(e.Proposed.End),
		Settled: string(e.Settled), SettledBy: e.SettledBy, SettledAt: sqldb.At(e.SettledAt),
	}
}

func (r replyRow) entry() rsvp.Entry {
	return rsvp.Entry{
		Tenant: identity.TenantID(r.Tenant), ID: r.ID, EventID: r.EventID, UID: r.UID, ReceivedAt: r.ReceivedAt.Time, Attendee: r.Attendee,
		From: r.Sender, Partstat: calendar.Partstat(r.Partstat), Comment: r.Comment, DelegatedTo: r.DelegatedTo, Counter: r.Counter,
		Decision: rsvp.Decision(r.Decision), Trust: rsvp.Trust(r.Trust), Via: rsvp.Via(r.Via), Sequence: r.Sequence,
		Stamp: r.Stamp.Time, ReplyTime: r.ReplyTime.Time, MessageID: r.MessageID, ContentHash: r.ContentHash,
		Detail: r.Detail, Admits: r.Admits, AdmittedBy: r.AdmittedBy, AdmittedAt: r.AdmittedAt.Time,
		Proposed: calendar.Span{Start: r.StartAt.Time, End: r.EndAt.Time},
		Settled:  rsvp.Settlement(r.Settled), SettledBy: r.SettledBy, SettledAt: r.SettledAt.Time,
	}
}

func (r tokenRow) token() rsvp.Token {
	return rsvp.Token{
		Hash: r.Hash, Purpose: rsvp.Purpose(r.Purpose), Tenant: identity.TenantID(r.Tenant), EventID: r.EventID, Guest: r.Guest,
		Generation: r.Generation, ExpiresAt: r.ExpiresAt.Time, RevokedAt: r.RevokedAt.Time,
	}
}
