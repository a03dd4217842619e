package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/chat/internal/hook"
	"github.com/renkei-go/renkei/transport/retry"
)

// Config is what an App needs.
type Config struct {
	Token    secret.String    // required: the bot token, "xoxb-…"
	Client   *http.Client     // required; it should have a time-out and, in a server, a guard against private addresses
	URL      string           // of the web API; default "https://slack.com/api/"
	Keep     time.Duration    // how long a person's direct message channel is remembered; default 24 hours
	Patience time.Duration    // how long Post waits for its turn rather than return *chat.PacedError; default 2 seconds, negative not at all
	Now      func() time.Time // default time.Now
}

// App posts by the web API. It is safe for concurrent use.
type App struct {
	api      *slackapi.Client
	people   people
	channels *chat.Pace // posts, by channel
	methods  *chat.Pace // only held, by method
}

var _ chat.Sender = (*App)(nil)

// The methods of the web API that are used.
const (
	postMessage   = "chat.postMessage"
	lookupByEmail = "users.lookupByEmail"
	openDM        = "conversations.open"
	authTest      = "auth.test"
)

// New makes an App. It calls nobody: see Check.
func New(cfg Config) (*App, error) {
	if cfg.Token.IsZero() || cfg.Client == nil {
		return nil, errors.New("slack: Token and Client are required")
	}
	if cfg.Keep < 0 {
		return nil, errors.New("slack: Keep is negative")
	}
	if cfg.URL == "" {
		cfg.URL = slackapi.APIURL
	}
	if cfg.Keep == 0 {
		cfg.Keep = 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &App{
		api:      slackapi.New(cfg.Token.Reveal(), slackapi.OptionHTTPClient(hook.Client(cfg.Client)), slackapi.OptionAPIURL(strings.TrimSuffix(cfg.URL, "/")+"/")),
		channels: &chat.Pace{Every: time.Second, Patience: cfg.Patience, Now: cfg.Now},
		methods:  &chat.Pace{Patience: cfg.Patience, Now: cfg.Now},
	}
	a.people = people{keep: cfg.Keep, now: cfg.Now, known: map[string]person{}, find: a.find}
	return a, nil
}

// Post implements chat.Sender: to the direct messages of m.Email if that is set, else to m.Channel.
func (a *App) Post(ctx context.Context, m chat.Message) error {
	clean, err := m.Clean()
	if err != nil {
		return retry.Permanent(err)
	}
	channel := m.Channel
	if m.Email != "" {
		if channel, err = a.people.channel(ctx, m.Email); err != nil {
			return err
		}
		clean.For = "" // nobody else reads it
	}
	if channel == "" {
		return chat.Refuse(chat.ErrChannel, "no_channel")
	}
	if err := a.channels.Wait(ctx, channel); err != nil {
		return err
	}
	options := []slackapi.MsgOption{
		slackapi.MsgOptionText(fallback(clean), false), slackapi.MsgOptionBlocks(blocks(clean)...), slackapi.MsgOptionParse(false),
		slackapi.MsgOptionDisableLinkUnfurl(), slackapi.MsgOptionDisableMediaUnfurl(),
	}
	if m.ID != "" {
		options = append(options, slackapi.MsgOptionMetadata(slackapi.SlackMetadata{
			EventType: "renkei_message", EventPayload: map[string]any{"id": m.ID},
		}))
	}
	err = a.call(ctx, postMessage, func() error {
		_, _, err := a.api.PostMessageContext(ctx, channel, options...)
		return err
	})
	if errors.Is(err, chat.ErrChannel) && m.Email != "" {
		a.people.forget(m.Email) // the account may have been replaced
	}
	return err
}

// Identity is whose token it is.
type Identity struct {
	Team, TeamID, User, UserID string
}

// Check asks Slack whether the token is valid, and whose it is. It returns chat.ErrAccess when it is not.
func (a *App) Check(ctx context.Context) (Identity, error) {
	var id Identity
	err := a.call(ctx, authTest, func() error {
		res, err := a.api.AuthTestContext(ctx)
		if err == nil {
			id = Identity{Team: res.Team, TeamID: res.TeamID, User: res.User, UserID: res.UserID}
		}
		return err
	})
	return id, err
}

// find asks Slack for the direct message channel of a person.
func (a *App) find(ctx context.Context, email string) (string, error) {
	var user *slackapi.User
	err := a.call(ctx, lookupByEmail, func() (err error) {
		user, err = a.api.GetUserByEmailContext(ctx, email)
		return err
	})
	if err != nil {
		return "", err
	}
	if user.Deleted || user.ID == "" {
		return "", chat.Refuse(chat.ErrPerson, "deactivated")
	}
	var channel *slackapi.Channel
	err = a.call(ctx, openDM, func() (err error) {
		channel, _, _, err = a.api.OpenConversationContext(ctx, &slackapi.OpenConversationParameters{Users: []string{user.ID}, ReturnIM: true})
		return err
	})
	switch {
	case err != nil:
		return "", err
	case channel == nil || channel.ID == "":
		return "", chat.Unavailable("no_channel_in_answer")
	}
	return channel.ID, nil
}

// call makes one call of a method, unless Slack has asked to wait with it, and translates its error.
func (a *App) call(ctx context.Context, method string, do func() error) error {
	if err := a.methods.Wait(ctx, method); err != nil {
		return err
	}
	err := translate(do())
	if errors.Is(err, chat.ErrBusy) {
		wait, _ := retry.AskedFor(err)
		a.methods.Hold(method, max(wait, time.Second))
	}
	return err
}

// translate turns an error of slack-go into one of package chat.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if limited, ok := errors.AsType[*slackapi.RateLimitedError](err); ok {
		return chat.Busy(limited.RetryAfter)
	}
	if status, ok := errors.AsType[slackapi.StatusCodeError](err); ok {
		return hook.Refusal(status.Code, http.Header{}, "", time.Time{})
	}
	if refused, ok := errors.AsType[slackapi.SlackErrorResponse](err); ok {
		return refusal(refused.Err)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return chat.ErrUnavailable.Because(fmt.Errorf("the answer is no JSON: %w", syntax))
	}
	return hook.Failure(err)
}

// temporary are the codes of Slack that another try may cure.
var temporary = map[string]bool{
	"internal_error": true, "fatal_error": true, "request_timeout": true, "service_unavailable": true, "team_added_to_org": true,
	"org_login_required": true, "accesslimited": true,
}

// meaning sorts the codes of Slack; all others are chat.ErrRefused.
var meaning = map[string]*fault.Error{
	"users_not_found": chat.ErrPerson, "user_not_found": chat.ErrPerson, "user_disabled": chat.ErrPerson, "user_not_visible": chat.ErrPerson,
	"cannot_dm_bot": chat.ErrPerson, "messages_tab_disabled": chat.ErrPerson,

	"channel_not_found": chat.ErrChannel, "is_archived": chat.ErrChannel, "channel_is_archived": chat.ErrChannel, "not_in_channel": chat.ErrChannel,
	"restricted_action_read_only_channel": chat.ErrChannel, "no_service": chat.ErrChannel, "no_active_hooks": chat.ErrChannel, "no_team": chat.ErrChannel,

	"invalid_auth": chat.ErrAccess, "not_authed": chat.ErrAccess, "account_inactive": chat.ErrAccess, "token_revoked": chat.ErrAccess,
	"token_expired": chat.ErrAccess, "no_permission": chat.ErrAccess, "missing_scope": chat.ErrAccess, "not_allowed_token_type": chat.ErrAccess,
	"access_denied": chat.ErrAccess, "ekm_access_denied": chat.ErrAccess, "enterprise_is_restricted": chat.ErrAccess,
	"two_factor_setup_required": chat.ErrAccess, "invalid_token": chat.ErrAccess, "action_prohibited": chat.ErrAccess,

	"invalid_blocks": chat.ErrMessage, "invalid_blocks_format": chat.ErrMessage, "msg_too_long": chat.ErrMessage, "msg_blocks_too_long": chat.ErrMessage,
	"no_text": chat.ErrMessage, "invalid_payload": chat.ErrMessage, "invalid_arguments": chat.ErrMessage, "metadata_too_large": chat.ErrMessage,
}

// refusal says what a code of Slack means.
func refusal(code string) error {
	switch {
	case code == "ratelimited" || code == "rate_limited" || code == "message_limit_exceeded":
		return chat.Busy(0)
	case temporary[code]:
		return chat.Unavailable(code)
	case meaning[code] != nil:
		return chat.Refuse(meaning[code], code)
	}
	return chat.Refuse(chat.ErrRefused, code)
}
