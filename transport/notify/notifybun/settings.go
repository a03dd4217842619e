package notifybun

import (
	"context"
	"strings"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/notify"
)

type settings struct {
	bun.BaseModel `bun:"table:notice_settings,alias:notice_settings"`

	Tenant     string `bun:",pk"`
	Person     string `bun:",pk"`
	Channels   string
	QuietStart string `bun:",nullzero"`
	QuietEnd   string `bun:",nullzero"`
	QuietZone  string
	Digest     string
	UpdatedAt  sqldb.Time
}

// Settings implements notify.Preferences.
func (s *Store) Settings(ctx context.Context, tenant identity.TenantID, people []string) ([]notify.Settings, error) {
	if len(people) == 0 {
		return nil, nil
	}
	var rows []settings
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ? AND person IN (?)", string(tenant), bun.List(people)).Scan(ctx)
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	out := make([]notify.Settings, len(rows))
	for i, r := range rows {
		out[i] = notify.Settings{
			Tenant: tenant, Person: r.Person, Channels: split(r.Channels), Digest: notify.Digest(r.Digest), UpdatedAt: r.UpdatedAt.Time,
		}
		if r.QuietStart != "" {
			out[i].QuietHours = &notify.QuietHours{Start: r.QuietStart, End: r.QuietEnd, TimeZone: r.QuietZone}
		}
	}
	return out, nil
}

// SetSettings implements notify.Preferences.
func (s *Store) SetSettings(ctx context.Context, set notify.Settings) error {
	r := settings{
		Tenant: string(set.Tenant), Person: set.Person, Channels: strings.Join(set.Channels, ","), Digest: string(set.Digest), UpdatedAt: sqldb.At(set.UpdatedAt),
	}
	if q := set.QuietHours; q != nil {
		r.QuietStart, r.QuietEnd, r.QuietZone = q.Start, q.End, q.TimeZone
	}
	_, err := s.db.IDB(ctx).NewInsert().Model(&r).On("CONFLICT (tenant, person) DO UPDATE").
		Set("channels = EXCLUDED.channels").Set("quiet_start = EXCLUDED.quiet_start").Set("quiet_end = EXCLUDED.quiet_end").
		Set("quiet_zone = EXCLUDED.quiet_zone").Set("digest = EXCLUDED.digest").Set("updated_at = EXCLUDED.updated_at").
		Returning("NULL").Exec(ctx)
	return sqldb.Fault(err)
}
