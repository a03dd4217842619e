package approvalbun

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

const listing = "approvals" // the scope of the cursors

type sortKey struct {
	At int64  `json:"t"` // microseconds
	ID string `json:"i"`
}

// List implements approval.Requests.
func (s *Store) List(ctx context.Context, tenant identity.TenantID, f approval.Filter, p page.Request) (page.Page[approval.Request], error) {
	var after *sortKey
	if more, err := page.Decode(listing, p.Cursor, &after); err != nil || !more {
		after = nil
		if err != nil {
			return page.Page[approval.Request]{}, err
		}
	}
	var rows []requestRow
	for _, whose := range people(f) {
		// A query per person: the index over parties has the order of the list, and one over several people has none.
		some, err := s.list(ctx, tenant, f, whose, after, p.Size()+1)
		if err != nil {
			return page.Page[approval.Request]{}, err
		}
		rows = append(rows, some...)
	}
	if len(f.For) > 0 {
		slices.SortFunc(rows, newestFirst)
		rows = slices.CompactFunc(rows, func(a, b requestRow) bool { return a.ID == b.ID })
		rows = rows[:min(len(rows), p.Size()+1)]
	}
	return page.Of(listing, requests(rows), p.Size(), func(r approval.Request) any {
		return sortKey{r.CreatedAt.UnixMicro(), r.ID}
	}), nil
}

// people returns whom the filter asks about; one empty name for everybody.
func people(f approval.Filter) []string {
	if f.Approver != "" {
		return append([]string{f.Approver}, f.For...)
	}
	return []string{cmp.Or(f.Requester, f.Involving)}
}

func newestFirst(a, b requestRow) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt.Time), cmp.Compare(b.ID, a.ID))
}

func (s *Store) list(ctx context.Context, tenant identity.TenantID, f approval.Filter, whose string, after *sortKey, limit int) ([]requestRow, error) {
	var rows []requestRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows)
	at, id := "r.created_at", "r.id"
	if whose == "" {
		q = q.Where("r.tenant = ?", string(tenant))
	} else {
		at, id = "p.created_at", "p.request_id"
		q = q.Join("JOIN approval_parties AS p ON p.tenant = r.tenant AND p.request_id = r.id").
			Where("p.tenant = ?", string(tenant)).Where("p.user_id = ?", whose)
		switch {
		case f.Approver != "" && whose != f.Approver: // what those were asked before is none of a substitute's business
			q = q.Where("p.part = ?", partApprover).Where("r.status = ?", string(approval.Pending))
		case f.Approver != "" && f.Status == approval.Pending:
			q = q.Where("p.part = ?", partApprover)
		case f.Approver != "":
			q = q.Where("p.part <> ?", partRequester)
		case f.Requester != "":
			q = q.Where("p.part = ?", partRequester)
		}
	}
	if f.Status != "" {
		q = q.Where("r.status = ?", string(f.Status))
	}
	if after != nil {
		q = q.Where("("+at+", "+id+") < (?, ?)", sqldb.At(time.UnixMicro(after.At)), after.ID)
	}
	return rows, sqldb.Fault(q.OrderExpr(at + " DESC, " + id + " DESC").Limit(int64(limit)).Scan(ctx))
}
