// Package chattest has servers that speak the protocols of chat tools, with their errors and limits, for tests and
// examples: [Slack] the web API and incoming webhooks, [Teams] the workflow webhook. Nothing leaves the machine.
//
// They check what they are sent as the tools document it, so that a message that they accept is well formed: Slack at
// most 50 blocks with 1 to 3000 characters per text and 150 per header, one message per second and channel, 50 look-ups
// per minute (tier 3); Teams a card of at most 28 KB and four messages per second.
package chattest
