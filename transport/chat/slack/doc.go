// Package slack posts messages to Slack.
//
// [App] uses the web API by a bot token: it posts to any channel that the app is in, and to people's direct messages,
// whom it finds by their mail address. The app needs the scopes chat:write, users:read, users:read.email and im:write.
// [Webhook] uses an incoming webhook, which belongs to one channel.
//
// Both send Block Kit blocks: a header for the title, sections of mrkdwn for the text with "&", "<" and ">" escaped and
// automatic parsing off (verbatim), so that only the links made here are links and nothing mentions anybody.
//
// Pace: one message per second and channel, as Slack documents it. A 429 holds back all calls of the same method for
// its Retry-After.
package slack
