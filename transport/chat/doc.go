// Package chat posts messages to chat tools, for notices and for sharing only (seed 000): nothing is read back, and no
// decision is taken there.
//
//	app, err := slack.New(slack.Config{Token: secret.NewString(os.Getenv("SLACK_BOT_TOKEN")), Client: guarded})
//	err = app.Post(ctx, chat.Message{Email: "alice@example.com", Title: "Please decide", Text: "…"})   // her direct messages
//	err = app.Post(ctx, chat.Message{Channel: "C024BE91L", Title: "Interview moved", Text: "…"})         // a channel
//
// The senders are in the packages below: slack (web API by a bot token, incoming webhook) and teams (workflow webhook).
// notify.Chat makes a sender a channel of notices. Package chattest has servers that speak both protocols, for tests and
// examples.
//
// # Text is text
//
// A [Message] is plain text. Senders escape what the tool would take as markup, so no input can mention a person or a
// channel, or hide where a link leads. What is too long is cut, and ends with "…".
//
// # Privacy
//
// A webhook posts to one conversation of its own, whoever the message is for: all its members read it. Such a sender
// shows [Message].For. Use it for notices only if that is wanted, or give each person a webhook of their own
// (teams.Config.Lookup).
//
// # Limits and failures
//
// Senders keep the tool's documented pace in this process by [Pace]; several processes together may exceed it, and then
// the tool's 429 and its Retry-After hold all posts back. A [*PacedError] error means that nothing was tried. Other errors
// are the faults below; those that another try cannot cure are marked by retry.Permanent. A post whose answer was lost
// may arrive twice: neither tool has an idempotency key. Slack's copy carries [Message].ID in its metadata, so that
// duplicates can be told.
package chat
