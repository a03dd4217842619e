// Package delegation is secretary mode (seed 003 §2): a person lets others work on their calendar, for a while and
// with certain permissions, and takes it back.
//
// It stands on its own. A team with another calendar uses [Service.ActAs] for the header X-Act-As-User
// (foundation/web) and [Service.Permissions] to decide what a proxy may do; package calendar takes the [Service] as its
// calendar.Delegations.
//
// A delegation is effective in [ValidFrom, ValidUntil) unless it is revoked. It is not transitive: who acts for
// somebody can neither delegate for them nor act for those who delegated to them. Several delegations of one person to
// another add up. Every grant, every revocation and every refused attempt to act for somebody is audited.
package delegation
