// Package teams posts messages to Microsoft Teams by the webhooks of its workflows ("When a Teams webhook request is
// received"), as Adaptive Cards of version 1.4.
//
// The text of a card may use a subset of Markdown. Links in it are broken up, so that none can show one address and lead
// to another; mentions need an entity beside the text, which these cards never have. A card is cut to the 28 KB that
// Teams accepts.
//
// Pace: four messages per second and webhook. A 429 holds the webhook back for its Retry-After.
//
// A workflow answers 202 before it has posted anything: that it then fails shows in its run history only.
package teams
