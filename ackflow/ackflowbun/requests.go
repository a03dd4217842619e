package ackflowbun

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// InsertRequest implements ackflow.Requests.
func (s *Store) InsertRequest(ctx context.Context, r ackflow.Request, required []string) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		row := requestRowOf(r)
		if err := s.insert(ctx, &row, ackflow.ErrDuplicateRequest); err != nil || len(required) == 0 {
			return err
		}
		acks := make([]ackRow, 0, len(required))
		for i, user := range required {
			acks = append(acks, ackRow{Tenant: row.Tenant, RequestID: row.ID, UserID: user, Position: i, CreatedAt: row.CreatedAt})
		}
		return s.insert(ctx, &acks, nil)
	})
}

// Request implements ackflow.Requests.
func (s *Store) Request(ctx context.Context, tenant identity.TenantID, id string) (ackflow.Request, error) {
	var row requestRow
	err := one(ctx, s.db.Reader(ctx).NewSelect(), &row, tenant, id)
	return row.request(), err
}

// LockRequest implements ackflow.Requests.
func (s *Store) LockRequest(ctx context.Context, tenant identity.TenantID, id string) (ackflow.Request, error) {
	var row requestRow
	err := one(ctx, s.locking(ctx), &row, tenant, id)
	return row.request(), err
}

// RequestOf implements ackflow.Requests.
func (s *Store) RequestOf(ctx context.Context, tenant identity.TenantID, messageID string) (ackflow.Request, error) {
	var row requestRow
	err := found(s.db.Reader(ctx).NewSelect().Model(&row).
		Where("tenant = ?", string(tenant)).Where("message_id = ?", messageID).Scan(ctx))
	return row.request(), err
}

// SetRequest implements ackflow.Requests.
func (s *Store) SetRequest(ctx context.Context, r ackflow.Request) error {
	row := requestRowOf(r)
	return s.update(ctx, &row, "canceled_at", "canceled_by", "cancel_reason", "revision", "message_deleted", "missing", "completed_at",
		"reminders", "reminded_at", "remind_at", "escalate_at", "next_at")
}

// People implements ackflow.Requests.
func (s *Store) People(ctx context.Context, tenant identity.TenantID, id string) ([]ackflow.Person, error) {
	var rows []ackRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).
		Where("tenant = ?", string(tenant)).Where("request_id = ?", id).OrderExpr("position").Scan(ctx)
	people := make([]ackflow.Person, 0, len(rows))
	for _, row := range rows {
		people = append(people, row.person())
	}
	return people, sqldb.Fault(err)
}

// Person implements ackflow.Requests.
func (s *Store) Person(ctx context.Context, tenant identity.TenantID, id, user string) (ackflow.Person, error) {
	var row ackRow
	err := found(s.db.Reader(ctx).NewSelect().Model(&row).
		Where("tenant = ?", string(tenant)).Where("request_id = ?", id).Where("user_id = ?", user).Scan(ctx))
	if errors.Is(err, ackflow.ErrNotFound) {
		err = ackflow.ErrNotRequired
	}
	return row.person(), err
}

// SetPerson implements ackflow.Requests.
func (s *Store) SetPerson(ctx context.Context, tenant identity.TenantID, id string, p ackflow.Person) error {
	row := ackRow{
		Tenant: string(tenant), RequestID: id, UserID: p.UserID,
		AckedAt: sqldb.At(p.AckedAt), AckedBy: p.AckedBy, Revision: p.Revision,
	}
	return s.update(ctx, &row, "acked_at", "acked_by", "revision")
}

// Void implements ackflow.Requests.
func (s *Store) Void(ctx context.Context, tenant identity.TenantID, id string) ([]string, error) {
	var rows []ackRow
	err := s.db.IDB(ctx).NewUpdate().Model(&rows).
		Set("acked_at = NULL").Set("acked_by = ''").Set("revision = 0").
		Where("tenant = ?", string(tenant)).Where("request_id = ?", id).Where("acked_at IS NOT NULL").
		Returning("user_id, position").Scan(ctx)
	slices.SortFunc(rows, func(a, b ackRow) int { return a.Position - b.Position })
	users := make([]string, 0, len(rows))
	for _, row := range rows {
		users = append(users, row.UserID)
	}
	return users, sqldb.Fault(err)
}

// Lacking implements ackflow.Requests. Each request costs as many index entries as it gives people.
func (s *Store) Lacking(ctx context.Context, tenant identity.TenantID, most int, ids ...string) (map[string][]string, error) {
	if most <= 0 {
		most = ackflow.MostRequired
	}
	gather := "json_group_array"
	if s.db.IsPostgres() {
		gather = "json_agg"
	}
	var rows []struct {
		ID    string `bun:"id"`
		Users string `bun:"users"`
	}
	err := s.db.Reader(ctx).NewRaw(`SELECT r.id, (SELECT coalesce(`+gather+`(x.user_id), '[]') FROM (
			SELECT a.user_id FROM chat_acks AS a WHERE a.tenant = r.tenant AND a.request_id = r.id AND a.acked_at IS NULL
			ORDER BY a.position LIMIT ?) AS x) AS users
		FROM chat_ack_requests AS r WHERE r.tenant = ? AND r.id IN (?)`, most, string(tenant), bun.List(ids)).Scan(ctx, &rows)
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	lacking := make(map[string][]string, len(rows))
	for _, row := range rows {
		var users []string
		if err := json.Unmarshal([]byte(row.Users), &users); err != nil {
			return nil, err
		}
		lacking[row.ID] = users
	}
	return lacking, nil
}

const listing = "chat_ack_requests" // the scope of the cursors

type sortKey struct {
	At int64  `json:"t"` // microseconds
	ID string `json:"i"`
}

// listedRow is a request with its message and the acknowledgement of the person who is asked.
type listedRow struct {
	requestRow `bun:",extend"`

	AckedAt          sqldb.Time `bun:"acked_at,scanonly"`
	MessageFound     bool       `bun:"message_found,scanonly"`
	MessageAuthor    string     `bun:"message_author,scanonly"`
	MessageBody      string     `bun:"message_body,scanonly"`
	MessageURL       string     `bun:"message_url,scanonly"`
	MessageCreatedAt sqldb.Time `bun:"message_created_at,scanonly"`
	MessageUpdatedAt sqldb.Time `bun:"message_updated_at,scanonly"`
	MessageDeletedAt sqldb.Time `bun:"message_deleted_at,scanonly"`
}

func (row listedRow) listed(now time.Time) ackflow.Listed {
	r := row.request()
	l := ackflow.Listed{Request: r, State: r.State(now), AckedAt: row.AckedAt.Time}
	if row.MessageFound {
		l.Message = &ackflow.Message{
			ID: row.MessageID, Tenant: l.Tenant, Room: row.Room, Author: row.MessageAuthor, Body: row.MessageBody, Revision: row.Revision,
			URL: row.MessageURL, CreatedAt: row.MessageCreatedAt.Time, UpdatedAt: row.MessageUpdatedAt.Time, DeletedAt: row.MessageDeletedAt.Time,
		}
	}
	return l
}

// ListRequests implements ackflow.Requests.
func (s *Store) ListRequests(ctx context.Context, tenant identity.TenantID, f ackflow.RequestFilter, p page.Request) (page.Page[ackflow.Listed], error) {
	var after sortKey
	more, err := page.Decode(listing, p.Cursor, &after)
	if err != nil {
		return page.Page[ackflow.Listed]{}, err
	}
	var rows []listedRow
	columns := []string{"r.*", "m.id IS NOT NULL AS message_found"}
	for _, c := range []string{"author", "body", "url"} {
		columns = append(columns, "coalesce(m."+c+", '') AS message_"+c)
	}
	for _, c := range []string{"created_at", "updated_at", "deleted_at"} {
		columns = append(columns, "m."+c+" AS message_"+c)
	}
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("r.tenant = ?", string(tenant))
	at, id := "r.created_at", "r.id"
	if f.Required != "" { // the index over those who are asked has the order of the list
		at, id = "a.created_at", "a.request_id"
		columns = append(columns, "a.acked_at")
		q = q.Join("JOIN chat_acks AS a ON a.tenant = r.tenant AND a.request_id = r.id").
			Where("a.tenant = ?", string(tenant)).Where("a.user_id = ?", f.Required)
		if f.Acked != nil && *f.Acked {
			q = q.Where("a.acked_at IS NOT NULL")
		} else if f.Acked != nil {
			q = q.Where("a.acked_at IS NULL")
		}
	}
	if f.Creator != "" {
		q = q.Where("r.created_by = ?", f.Creator)
	}
	if more {
		q = q.Where("("+at+", "+id+") < (?, ?)", sqldb.At(time.UnixMicro(after.At)), after.ID)
	}
	err = inState(q, f.State, f.Now).ColumnExpr(strings.Join(columns, ", ")).
		Join("LEFT JOIN chat_messages AS m ON m.tenant = r.tenant AND m.id = r.message_id").
		OrderExpr(at + " DESC, " + id + " DESC").Limit(int64(p.Size()) + 1).Scan(ctx)
	if err != nil {
		return page.Page[ackflow.Listed]{}, sqldb.Fault(err)
	}
	listed := make([]ackflow.Listed, 0, len(rows))
	for _, row := range rows {
		listed = append(listed, row.listed(f.Now))
	}
	return page.Of(listing, listed, p.Size(), func(l ackflow.Listed) any { return sortKey{l.CreatedAt.UnixMicro(), l.ID} }), nil
}

// inState is ackflow.Request.State in SQL.
func inState(q *bun.SelectQuery, state ackflow.State, now time.Time) *bun.SelectQuery {
	const live = "r.canceled_at IS NULL AND (r.missing > 0 OR r.required = 0)"
	switch state {
	case ackflow.Canceled:
		return q.Where("r.canceled_at IS NOT NULL")
	case ackflow.Completed:
		return q.Where("r.canceled_at IS NULL AND r.missing = 0 AND r.required > 0")
	case ackflow.Expired:
		return q.Where(live+" AND r.due_at < ?", sqldb.At(now))
	case ackflow.Open:
		return q.Where(live+" AND (r.due_at IS NULL OR r.due_at >= ?)", sqldb.At(now))
	}
	return q
}
