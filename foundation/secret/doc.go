// Package secret keeps what must not leak: [String] cannot be printed, logged or marshalled; [Sealer] encrypts values
// at rest with keys that can be rotated; [NewToken] and [HashToken] make bearer tokens of which only the hash is stored.
package secret
