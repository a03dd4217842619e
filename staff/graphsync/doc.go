// Package graphsync keeps Microsoft Entra ID (Microsoft 365) in step with the staff by Microsoft Graph, and takes back what
// Entra owns of organisational units (seed 001 pattern 1).
//
// [Service.Step] does what is due: it reads what changed in Entra, by delta or in full, into a mirror; makes a plan;
// and applies it. A plan is a list of steps with the values before and after. [MakePlan], which makes it from a
// [Snapshot] of both sides, is a pure function.
//
//	requested ─> planned ─> applying ─> done
//	                 └──────────┴─────> discarded
//
// Unless something is wrong nobody has to do anything. A plan that trips a [Guard], is a dry run, or undoes another run
// waits until somebody approves it by its hash and by the names of the guards.
//
// What it promises:
//
//   - An empty or shrunken source wrecks nothing: see [Limits].
//   - Nobody is disabled or deleted who is to have an account: each person is looked at again just before.
//   - A run may be killed anywhere, and answers may be lost: another process goes on where it was, and makes nothing
//     twice. Accounts are found again by the name noted before they were made, groups by their unique name.
//   - An object that fails does not stop the others; when it fails again and again it is left alone for ever longer.
//   - Accounts are matched by link, then employee reference, never by mail address. What is not certain is an [Issue]
//     for somebody to resolve. Accounts of nobody in staff are never touched.
//   - A run can be undone: [Service.Rollback] makes the plan for it.
//
// [Client] is the thin client that speaks to Graph; package graphtest is a fake Graph to speak to in tests.
package graphsync
