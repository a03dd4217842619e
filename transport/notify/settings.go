package notify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Settings are how a person wants to be told. The zero Settings are those of a person who has not said.
type Settings struct {
	Tenant     identity.TenantID
	Person     string
	Channels   []string    // first choice first; empty: those that the directory has, or mail
	QuietHours *QuietHours // nil: none
	Digest     Digest      // empty: Off
	UpdatedAt  time.Time
}

// QuietHours are when informational notices wait: [Start, End) by the clocks of the time zone, every day, across
// midnight when End is before Start. What waits is sent at the end.
type QuietHours struct {
	Start, End string // "22:00"
	TimeZone   string // IANA; empty: the person's, or else Config.TimeZone
}

// Digest is how often informational notices are sent, all in one message for each channel.
type Digest string

// The digests.
const (
	Off    Digest = "off"    // each notice on its own, at once
	Hourly Digest = "hourly" // at the full hour
	Daily  Digest = "daily"  // at Config.DigestHour
)

// mostChannels bounds a list of channels.
const mostChannels = 10

// Settings returns the settings of by. Channels are those that would be used now.
func (s *Service) Settings(ctx context.Context, by identity.Principal) (Settings, error) {
	set, err := s.settings(ctx, by.Tenant, by.User())
	if err != nil {
		return Settings{}, err
	}
	people, err := s.cfg.Directory.People(ctx, by.Tenant, []string{by.User()})
	if err != nil {
		return Settings{}, err
	}
	p := identity.Person{}
	if len(people) == 1 {
		p = people[0]
	}
	set.Channels = s.channels(p, set)
	return set, nil
}

// SetSettings replaces the settings of by and leaves an audit entry "notification_settings_change". They apply to new
// notices at once, and to those that wait within Config.Look. It returns ErrSettings with the bad fields, and ErrNotOwn
// when by acts for somebody else: what a person hears of is for nobody else to decide.
func (s *Service) SetSettings(ctx context.Context, by identity.Principal, set Settings) (Settings, error) {
	if by.IsProxy() {
		return Settings{}, ErrNotOwn
	}
	if set.Digest == "" {
		set.Digest = Off
	}
	if err := s.judgeSettings(set); err != nil {
		return Settings{}, err
	}
	set.Tenant, set.Person, set.UpdatedAt = by.Tenant, by.User(), s.now()
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.SetSettings(ctx, set); err != nil {
			return err
		}
		return s.record(ctx, audit.By(by, "notification_settings_change", "person", set.Person))
	})
	if err != nil {
		return Settings{}, err
	}
	return s.Settings(ctx, by)
}

func (s *Service) judgeSettings(set Settings) error {
	bad := ErrSettings
	if len(set.Channels) > mostChannels {
		bad = bad.WithField("channels", fmt.Sprintf("must be at most %d", mostChannels))
	}
	for i, name := range set.Channels {
		if _, known := s.cfg.Channels[name]; !known {
			bad = bad.WithField(fmt.Sprintf("channels[%d]", i), "must be a channel that is in use here")
		} else if slices.Contains(set.Channels[:i], name) {
			bad = bad.WithField(fmt.Sprintf("channels[%d]", i), "must not come twice")
		}
	}
	if q := set.QuietHours; q != nil {
		from, err1 := clock(q.Start)
		to, err2 := clock(q.End)
		if err1 != nil {
			bad = bad.WithField("quiet_hours.start", "must be a time of day such as 22:00")
		}
		if err2 != nil {
			bad = bad.WithField("quiet_hours.end", "must be a time of day such as 07:00")
		}
		if err1 == nil && err2 == nil && from == to {
			bad = bad.WithField("quiet_hours.end", "must differ from the start")
		}
		if q.TimeZone != "" && !check.IsTimeZone(q.TimeZone) {
			bad = bad.WithField("quiet_hours.time_zone", "must be an IANA time zone")
		}
	}
	if set.Digest != Off && set.Digest != Hourly && set.Digest != Daily {
		bad = bad.WithField("digest", "must be off, hourly or daily")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// ChannelNames returns the names of the channels that people can choose from, in their order.
func (s *Service) ChannelNames() []string { return slices.Sorted(maps.Keys(s.cfg.Channels)) }

// settings returns what is stored for a person, or the zero Settings.
func (s *Service) settings(ctx context.Context, tenant identity.TenantID, person string) (Settings, error) {
	found, err := s.cfg.Store.Settings(ctx, tenant, []string{person})
	if err != nil || len(found) == 0 {
		return Settings{Tenant: tenant, Person: person, Digest: Off}, err
	}
	return found[0], nil
}

// zone is where the person's clocks are.
func (s *Service) zone(p identity.Person, set Settings) *time.Location {
	names := []string{p.TimeZone}
	if set.QuietHours != nil {
		names = []string{set.QuietHours.TimeZone, p.TimeZone}
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
	}
	return s.cfg.TimeZone
}

// slot returns when a notice that was created at t is to go.
func (s *Service) slot(d Digest, t time.Time) time.Time {
	switch d {
	case Hourly:
		return nextHour(t)
	case Daily:
		return nextAt(t, time.Duration(s.cfg.DigestHour%Midnight)*time.Hour)
	default:
		return t
	}
}

// quietUntil returns when the quiet hours that hold at t end; t if none do.
func (q *QuietHours) quietUntil(t time.Time) time.Time {
	if q == nil {
		return t
	}
	from, err1 := clock(q.Start)
	to, err2 := clock(q.End)
	if err1 != nil || err2 != nil {
		return t // somebody else wrote the row: better heard than lost
	}
	return span{from, to}.end(t)
}

// clock reads a time of day such as "22:00".
func clock(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", s)
	if err == nil && len(s) != len("15:04") {
		err = fmt.Errorf("a time of day has five characters")
	}
	return wall(t), err
}
