// Package ackflow asks people to acknowledge a message, knows who has and who has not, and ties that to the business at
// hand (seed 002).
//
//	Ask ──▶ open ──everybody has acknowledged──▶ completed
//	          │ └──DueAt──▶ expired ──late──▶ completed       (derived; nothing runs)
//	          └──Cancel──▶ canceled
//
// # Acknowledgement
//
// It is personal: [Service.Ack] counts for the caller, and nobody else is any the less asked. It is bound to what the
// person has read: editing the message ([Service.EditMessage]) voids it and tells them. The author of a message can be
// among those who are asked and is then reminded like everybody.
//
// Who is asked is decided when the request is made, from users, groups and roles; [Service.Preview] is the dry run by the
// same code.
//
// # Links and verdicts
//
// A [Link] ties a request to a [Target], a row of some other system that the package knows by table and id only;
// [Config].Targets is the allowlist, and each [TargetResolver] knows whether a row is there and who takes part in it.
// [Service.Evaluate] says whether everything that is linked with a target is complete. Inside the transaction of a
// decision it holds what it has seen until the end.
//
// # Templates
//
// A [Template] makes message, request and link when an action of a flow is taken ([Service.ApplyTemplates]), in the
// transaction of the action, once.
//
// # What falls due
//
// [Service.Sweep] sends reminders and escalations. A request carries the one instant at which something is due next, so
// that a sweep costs what is due and not what is open.
package ackflow
