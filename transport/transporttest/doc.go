// Package transporttest is the suite that an outbox must pass: [RunOutbox] proves order, atomicity, leases, the inbox
// and the poison list against any implementation. [Ledger] gives the tests of domains an outbox, a notifier and an audit
// recorder that show what was committed.
package transporttest
