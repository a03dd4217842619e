// Package opiniohires takes over who was hired: the built-in target of the hand-off from recruiting (seed 000 "人事・労務システム連携", seed
// 001 pattern 5). It is the place where recruiting (package opinio) and the staff directory meet.
//
// # The contract
//
// Recruiting hands a [Hire] over once the hire is confirmed, and not before: [Target.HandOff] refuses one that is not. The
// hand-off goes one way. What comes back is a [Receipt], which says that the person is there and under which number; nothing
// of the directory flows back into recruiting.
//
//   - A hire is known by Hire.ID, whatever else recruiting calls it. To hand it over again changes nothing and returns the
//     same Receipt, so that recruiting may repeat it until it has one. The same ID with other content is ErrChanged: what
//     happens to a person after the hire is the directory's own affair.
//   - HandOff joins the transaction in the context, or is one: the person, their place in a unit, their user account where
//     staff.Config.UserIDs gives one, the start of onboarding (staff.EventOnboarding) and the audit entry are there
//     together or not at all.
//   - After a lost answer [Target.Confirm] says whether a hire has arrived.
//   - [Final] tells the errors that repeating cannot help, for the one who keeps trying.
//
// The form of a Hire in JSON is what a target elsewhere gets, too.
package opiniohires
