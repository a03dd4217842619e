package notifyhttp

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport/notify"
)

// Settings are a person's settings on the wire.
type Settings struct {
	Channels   []string    `json:"channels" required:"false" nullable:"false" maxItems:"10" example:"[\"slack\",\"mail\"]" doc:"First choice first; the next one takes over when one fails for good. Empty: the directory decides."`
	QuietHours *QuietHours `json:"quiet_hours" required:"false" doc:"When informational notices wait; null: never."`
	Digest     string      `json:"digest" required:"false" enum:"off,hourly,daily" default:"off" doc:"Informational notices, collected into one message for each channel."`
}

// QuietHours are when informational notices wait, on the wire.
type QuietHours struct {
	Start    string `json:"start" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" example:"22:00"`
	End      string `json:"end" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" example:"07:00" doc:"Before the start: on the next day."`
	TimeZone string `json:"time_zone,omitempty" maxLength:"64" example:"Asia/Tokyo" doc:"IANA; default: the person's."`
}

// SettingsView is what is answered.
type SettingsView struct {
	Settings
	AvailableChannels []string `json:"available_channels" nullable:"false"`
}

type settingsInput struct{ Body Settings }

type settingsOutput struct{ Body SettingsView }

func registerSettings(api huma.API, s Service) {
	tags := []string{"notices"}
	web.Handle(api, huma.Operation{
		OperationID: "get-notification-settings", Method: http.MethodGet, Path: "/me/notification-settings", Summary: "How I am told", Tags: tags,
	}, func(ctx context.Context, by identity.Principal, _ *struct{}) (*settingsOutput, error) {
		set, err := s.Settings(ctx, by)
		if err != nil {
			return nil, err
		}
		return viewSettings(s, set), nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "put-notification-settings", Method: http.MethodPut, Path: "/me/notification-settings", Summary: "Change how I am told", Tags: tags,
		Description: "Replaces all settings: what is left out goes back to its default. Nobody can do this for somebody else.",
		Errors:      []int{http.StatusForbidden, http.StatusUnprocessableEntity},
	}, func(ctx context.Context, by identity.Principal, in *settingsInput) (*settingsOutput, error) {
		set := notify.Settings{Channels: in.Body.Channels, Digest: notify.Digest(in.Body.Digest)}
		if q := in.Body.QuietHours; q != nil {
			set.QuietHours = &notify.QuietHours{Start: q.Start, End: q.End, TimeZone: q.TimeZone}
		}
		set, err := s.SetSettings(ctx, by, set)
		if err != nil {
			return nil, err
		}
		return viewSettings(s, set), nil
	})
}

func viewSettings(s Service, set notify.Settings) *settingsOutput {
	out := SettingsView{Settings: Settings{Channels: set.Channels, Digest: string(set.Digest)}, AvailableChannels: s.ChannelNames()}
	if out.Channels == nil {
		out.Channels = []string{}
	}
	if q := set.QuietHours; q != nil {
		out.QuietHours = &QuietHours{Start: q.Start, End: q.End, TimeZone: q.TimeZone}
	}
	return &settingsOutput{out}
}
