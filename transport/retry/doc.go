// Package retry says when to try again. A [Policy] is plain data, so that it can be configured and stored; durable
// schedulers ask it for the next delay ([Policy.Delay], [Policy.Next]), and [Do] tries again in process.
//
// An operation says more about its failure by wrapping the error: [Permanent] ends the tries, [After] carries the
// time that a remote side asked for (Retry-After, RFC 9110 §10.2.3).
package retry
