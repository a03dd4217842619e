package server

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat/slack"
	"github.com/renkei-go/renkei/transport/chat/teams"
	"github.com/renkei-go/renkei/transport/mail"
	"github.com/renkei-go/renkei/transport/notify"
	"github.com/renkei-go/renkei/transport/webhook"
)

// channels are the ways to tell a person something: mail, and the chat tools that are set. What leaves by HTTP goes
// through the guard, so that a mistaken URL cannot reach the own network.
func channels(cfg Config, mailer mail.Sender) (map[string]notify.Channel, error) {
	blocks, err := prefixes(cfg.AllowPrivate)
	if err != nil {
		return nil, err
	}
	outside, err := webhook.NewGuard(webhook.GuardConfig{AllowPrivate: blocks})
	if err != nil {
		return nil, err
	}
	all := map[string]notify.Channel{"mail": notify.Mail(mailer, cfg.mailDomain())}
	var errs []error
	for _, hook := range []secret.String{cfg.SlackWebhook, cfg.TeamsWebhook} {
		if !hook.IsZero() {
			_, err := outside.CheckURL(hook.Reveal())
			errs = append(errs, err)
		}
	}
	if !cfg.SlackToken.IsZero() {
		app, err := slack.New(slack.Config{Token: cfg.SlackToken, Client: outside.Client()})
		errs = append(errs, err)
		all["slack"] = notify.Chat(app)
	} else if !cfg.SlackWebhook.IsZero() {
		hook, err := slack.NewWebhook(slack.WebhookConfig{URL: cfg.SlackWebhook, Client: outside.Client()})
		errs = append(errs, err)
		all["slack"] = notify.Chat(hook)
	}
	if !cfg.TeamsWebhook.IsZero() {
		hook, err := teams.New(teams.Config{URL: cfg.TeamsWebhook, Client: outside.Client()})
		errs = append(errs, err)
		all["teams"] = notify.Chat(hook)
	}
	return all, errors.Join(errs...)
}

// reachesOne says whether a channel brings a notice to its recipient alone, and not to a room that others read.
func (c Config) reachesOne(channel string) bool {
	return channel == "mail" || channel == "slack" && !c.SlackToken.IsZero()
}

// prefixes reads a list of CIDR blocks with commas between.
func prefixes(list string) ([]netip.Prefix, error) {
	var blocks []netip.Prefix
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		block, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, block)
	}
	return blocks, nil
}
