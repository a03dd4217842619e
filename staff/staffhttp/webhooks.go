package staffhttp

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookhttp"
)

// hooks is webhook.Service as API keys may use it, each for its own subscriptions, with the seed's numbers accepted as
// ids.
type hooks struct{ *webhook.Service }

var _ webhookhttp.Service = hooks{}

// find returns the subscription of an id or a number, or webhook.ErrUnknown also for one of another key.
func (h hooks) find(ctx context.Context, by identity.Principal, id string) (webhook.Subscription, error) {
	if number, err := strconv.ParseInt(id, 10, 64); err == nil {
		cut, err := h.Service.List(ctx, by, webhook.Filter{Number: number}, page.Request{Limit: 1})
		if err != nil {
			return webhook.Subscription{}, err
		}
		if number <= 0 || len(cut.Items) == 0 || !owns(by, cut.Items[0]) {
			return webhook.Subscription{}, webhook.ErrUnknown
		}
		return cut.Items[0], nil
	}
	sub, err := h.Service.Get(ctx, by, id)
	if err == nil && !owns(by, sub) {
		err = webhook.ErrUnknown
	}
	return sub, err
}

// owns says whether by may see a subscription: a key its own, others all.
func owns(by identity.Principal, sub webhook.Subscription) bool {
	id, isKey := staff.KeyOf(by)
	return !isKey || sub.Owner == staff.Owner(id)
}

func (h hooks) Subscribe(ctx context.Context, by identity.Principal, in webhook.Subscription) (webhook.Subscription, error) {
	if id, isKey := staff.KeyOf(by); isKey {
		in.Owner = staff.Owner(id)
	}
	return h.Service.Subscribe(ctx, by, in)
}

func (h hooks) Update(ctx context.Context, by identity.Principal, id string, c webhook.Change) (webhook.Subscription, error) {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return sub, err
	}
	if _, isKey := staff.KeyOf(by); isKey {
		c.Owner = nil
	}
	return h.Service.Update(ctx, by, sub.ID, c)
}

func (h hooks) Get(ctx context.Context, by identity.Principal, id string) (webhook.Subscription, error) {
	return h.find(ctx, by, id)
}

func (h hooks) List(ctx context.Context, by identity.Principal, f webhook.Filter, p page.Request) (page.Page[webhook.Subscription], error) {
	if id, isKey := staff.KeyOf(by); isKey {
		f.Owner = staff.Owner(id)
	}
	return h.Service.List(ctx, by, f, p)
}

func (h hooks) Delete(ctx context.Context, by identity.Principal, id string) error {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return err
	}
	return h.Service.Delete(ctx, by, sub.ID)
}

func (h hooks) Pause(ctx context.Context, by identity.Principal, id string) error {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return err
	}
	return h.Service.Pause(ctx, by, sub.ID)
}

func (h hooks) Resume(ctx context.Context, by identity.Principal, id string, replay bool) (int, error) {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return 0, err
	}
	return h.Service.Resume(ctx, by, sub.ID, replay)
}

func (h hooks) RotateSecret(ctx context.Context, by identity.Principal, id string, r webhook.Rotation) (webhook.Subscription, error) {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return sub, err
	}
	return h.Service.RotateSecret(ctx, by, sub.ID, r)
}

func (h hooks) Ping(ctx context.Context, by identity.Principal, id string) (string, error) {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return "", err
	}
	return h.Service.Ping(ctx, by, sub.ID)
}

func (h hooks) Deliveries(ctx context.Context, by identity.Principal, id string, p page.Request, states ...delivery.State) (page.Page[delivery.Record], error) {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return page.Page[delivery.Record]{}, err
	}
	return h.Service.Deliveries(ctx, by, sub.ID, p, states...)
}

func (h hooks) Resend(ctx context.Context, by identity.Principal, id, deliveryID, key string) (delivery.Delivery, error) {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return delivery.Delivery{}, err
	}
	return h.Service.Resend(ctx, by, sub.ID, deliveryID, key)
}

func (h hooks) Recover(ctx context.Context, by identity.Principal, id string, since time.Time, dryRun bool) (int, error) {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return 0, err
	}
	return h.Service.Recover(ctx, by, sub.ID, since, dryRun)
}

func (h hooks) ReplayMissing(ctx context.Context, by identity.Principal, id string, since time.Time, dryRun bool) (int, error) {
	sub, err := h.find(ctx, by, id)
	if err != nil {
		return 0, err
	}
	return h.Service.ReplayMissing(ctx, by, sub.ID, since, dryRun)
}

// action is the body of POST /api/webhooks.php.
type action struct {
	Action    string   `json:"action"`
	URL       string   `json:"url"`
	Events    []string `json:"events"`
	Secret    string   `json:"secret"`
	WebhookID int64    `json:"webhook_id"`
}

// webhooks is POST /api/webhooks.php.
func (h *handlers) webhooks(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		notAllowed(w, http.MethodPost, "Method not allowed")
		return
	}
	by, err := h.admit(w, r)
	if err == nil {
		err = staff.Allow(by, staff.ScopeWebhooks)
	}
	if err != nil {
		h.refuse(w, r, err, nil)
		return
	}
	a, err := readAction(w, r)
	if err != nil {
		h.refuse(w, r, err, nil)
		return
	}
	switch a.Action {
	case "subscribe":
		h.subscribe(w, r, by, a)
	case "unsubscribe":
		h.unsubscribe(w, r, by, a)
	case "list":
		h.listHooks(w, r, by)
	default:
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "Invalid action. Use: subscribe, unsubscribe, list"})
	}
}

func readAction(w http.ResponseWriter, r *http.Request) (action, error) {
	var a action
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	const parts = "multipart/form-data" // which PHP reads too
	if err != nil || media != "application/x-www-form-urlencoded" && media != parts {
		err := readJSON(w, r, &a)
		return a, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, web.DefaultMaxBody)
	if err = r.ParseForm(); err == nil && media == parts {
		err = r.ParseMultipartForm(web.DefaultMaxBody) //nolint:gosec // the body is bounded above, and all of it stays in memory
	}
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return a, web.ErrBodyTooLarge
	}
	if err != nil {
		return a, fault.InvalidField("body", "must be form-encoded")
	}
	a = action{Action: r.PostForm.Get("action"), URL: r.PostForm.Get("url"), Secret: r.PostForm.Get("secret"), Events: formEvents(r.PostForm)}
	if text := r.PostForm.Get("webhook_id"); text != "" {
		if a.WebhookID, err = strconv.ParseInt(text, 10, 64); err != nil {
			return a, fault.InvalidField("webhook_id", "must be a number")
		}
	}
	return a, nil
}

// formEvents reads events, events[] and events[0] as PHP does, and a list with commas too.
func formEvents(form url.Values) []string {
	var names []string
	for name := range form {
		if name == "events" || strings.HasPrefix(name, "events[") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var events []string
	for _, name := range names {
		for _, value := range form[name] {
			for part := range strings.SplitSeq(value, ",") {
				if part = strings.TrimSpace(part); part != "" {
					events = append(events, part)
				}
			}
		}
	}
	return events
}

const badURL = "A valid webhook URL is required"

// subscribe adds a subscription, or changes the one with the URL.
func (h *handlers) subscribe(w http.ResponseWriter, r *http.Request, by identity.Principal, a action) {
	missing := ""
	switch {
	case a.URL == "":
		missing = badURL
	case a.Secret == "":
		missing = "A webhook secret is required"
	case len(a.Events) == 0:
		missing = "At least one event must be specified"
	}
	if missing != "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": missing})
		return
	}
	var sub webhook.Subscription
	var message string
	err := h.cfg.Staff.InTurn(r.Context(), by.Tenant, func(ctx context.Context) (err error) { // one subscription per URL
		sub, message, err = h.upsertHook(ctx, by, a)
		return err
	})
	switch {
	case errors.Is(err, webhook.ErrPattern):
		h.refuse(w, r, err, map[string]any{"error": "Unknown event. Use: " + strings.Join(staff.EventTypes(), ", ")})
	case errors.Is(err, webhook.ErrSecret):
		h.refuse(w, r, err, map[string]any{"error": "A webhook secret has 8 to 256 printable characters"})
	case slices.ContainsFunc(fault.FieldsOf(err), func(f fault.Field) bool { return f.Location == "url" }):
		h.refuse(w, r, err, map[string]any{"error": badURL})
	case err != nil:
		h.refuse(w, r, err, nil)
	default:
		writeJSON(w, http.StatusOK, map[string]any{"success": true, "message": message, "webhook_id": sub.Number})
	}
}

var errOthersURL = fault.New(fault.Conflict, "url_taken", "another API key has subscribed this URL")

func (h *handlers) upsertHook(ctx context.Context, by identity.Principal, a action) (webhook.Subscription, string, error) {
	service := hooks{h.cfg.Webhooks}
	cut, err := service.Service.List(ctx, by, webhook.Filter{URL: a.URL}, page.Request{Limit: 1})
	if err != nil {
		return webhook.Subscription{}, "", err
	}
	if len(cut.Items) > 0 && !owns(by, cut.Items[0]) {
		// A new key takes over from one that was revoked, or its system could never subscribe again.
		if err := h.leaveRevoked(ctx, by, cut.Items[0]); err != nil {
			return cut.Items[0], "", err
		}
		cut.Items = nil
	}
	if len(cut.Items) == 0 {
		sub, err := service.Subscribe(ctx, by, webhook.Subscription{URL: a.URL, Events: a.Events, Secret: secret.NewString(a.Secret)})
		return sub, "Webhook subscription created", err
	}
	sub := cut.Items[0]
	if _, err := service.RotateSecret(ctx, by, sub.ID, webhook.Rotation{Secret: secret.NewString(a.Secret), Overlap: -1}); err != nil {
		return sub, "", err
	}
	if sub, err = service.Update(ctx, by, sub.ID, webhook.Change{Events: a.Events}); err != nil {
		return sub, "", err
	}
	if sub.State != webhook.Active {
		_, err = service.Resume(ctx, by, sub.ID, false)
	}
	return sub, "Webhook subscription updated", err
}

// leaveRevoked deletes a subscription whose key was revoked, or returns errOthersURL.
func (h *handlers) leaveRevoked(ctx context.Context, by identity.Principal, sub webhook.Subscription) error {
	owner, isKey := staff.KeyOf(identity.Principal{Actor: sub.Owner})
	if !isKey {
		return errOthersURL
	}
	revoked, err := h.cfg.Staff.Revoked(ctx, by.Tenant, owner)
	if err != nil {
		return err
	}
	if !revoked {
		return errOthersURL
	}
	return h.cfg.Webhooks.Delete(ctx, by, sub.ID)
}

func (h *handlers) unsubscribe(w http.ResponseWriter, r *http.Request, by identity.Principal, a action) {
	if a.WebhookID == 0 && a.URL == "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "Provide either webhook_id or url to unsubscribe"})
		return
	}
	service := hooks{h.cfg.Webhooks}
	f := webhook.Filter{Number: a.WebhookID}
	if f.Number == 0 {
		f.URL = a.URL
	}
	cut, err := service.List(r.Context(), by, f, page.Request{Limit: page.MaxLimit})
	for _, sub := range cut.Items {
		if err == nil {
			err = service.Delete(r.Context(), by, sub.ID)
		}
	}
	if err != nil && !errors.Is(err, webhook.ErrUnknown) {
		h.refuse(w, r, err, nil)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"success": true, "message": "Webhook subscription removed"})
}

// legacyHook is a subscription in the list of seed 001's service.
type legacyHook struct {
	ID              int64      `json:"id"`
	URL             string     `json:"url"`
	Events          []string   `json:"events"`
	IsActive        bool       `json:"is_active"`
	LastTriggeredAt *time.Time `json:"last_triggered_at"`
	LastSuccessAt   *time.Time `json:"last_success_at"`
	LastFailureAt   *time.Time `json:"last_failure_at"`
	FailureCount    int        `json:"failure_count"`
}

func (h *handlers) listHooks(w http.ResponseWriter, r *http.Request, by identity.Principal) {
	all := []legacyHook{}
	for p := (page.Request{Limit: page.MaxLimit}); ; {
		cut, err := hooks{h.cfg.Webhooks}.List(r.Context(), by, webhook.Filter{}, p)
		if err != nil {
			h.refuse(w, r, err, nil)
			return
		}
		for _, s := range cut.Items {
			triggered := s.LastSuccessAt
			if s.LastFailureAt.After(triggered) {
				triggered = s.LastFailureAt
			}
			all = append(all, legacyHook{
				s.Number, s.URL, s.Events, s.State == webhook.Active, given(triggered), given(s.LastSuccessAt), given(s.LastFailureAt), s.Failures,
			})
		}
		if p.Cursor = cut.Next; p.Cursor == "" {
			break
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"success": true, "webhooks": all})
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
