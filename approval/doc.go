// Package approval asks the right person for consent, waits for the answer no longer than agreed, and settles what was
// asked about in the transaction of the answer (seed 003 §6).
//
// It knows what it decides on only as a [Subject] (kind and id): a calendar booking, an expense, a purchase. Whoever owns
// the subject calls [Service.Submit] inside their own transaction and is called back through a [SubjectHandler], again
// inside the transaction that decides.
//
//	Submit ── rules ask for consent? ──no──▶ NotRequired, nothing stored
//	             │ yes
//	          pending ──Act──▶ approved | rejected
//	             ├─Withdraw──▶ withdrawn
//	             └─deadline──▶ timed_out       (Sweep, or a late Act)
//
// # Rules
//
// [Rules] are data: conditions on facts that the submitter states. [Rules.Evaluate] is a pure function that gives the
// reasons and explains them ("attendees 12 ≥ 10"); the dry run ([Service.Evaluate]) is the same function.
//
// A flow's rules and steps are a [Policy]: Config has the first version, administrators put further ones in force while the
// program runs ([Service.ChangePolicy]). Every version stays readable, a request goes on by the one that asked for it, and
// [Service.Preview] says what a draft would do, whom it would ask included.
//
// # Who decides
//
// One step or several, one after the other; in each the first of its approvers, all of them, or a quorum must agree, and
// one rejection ends the request ([Plan]). A step's approvers are found when it opens. By default there is one step, and
// the requester's manager decides. Without one, or when the manager is the requester, acted for them, is inactive or on
// leave, the chain is climbed; at its end stand the holders of the fallback group, any one of whom may decide.
//
// Four eyes are judged by effective person: the requester, the one who acted for them and their delegates count as one and
// can never decide, under nobody's name. Nor does anybody count twice: who has decided, for whomever, has no second word.
//
// Approvers name substitutes for a while ([Service.NameSubstitute]), who name theirs; either may then decide. Who is on leave
// is asked all the same if somebody stands in for them.
//
// A decision may also come from a mail: [Service.NewLink] makes a link for one person, which acts once, until the deadline,
// on what was asked when it was made; [Service.Fill] puts one into a notice right before it is sent.
//
// # What is hidden
//
// Requests hold no content, but a line for people, [Submission].Summary. When its owner hides a subject later,
// [Service.Conceal] takes out of that line, in every request about it, what [Submission].Discreet does not say.
//
// # Deadlines
//
// A request ends at created + Timeout, or at the submission's NotAfter if that is sooner. The clock is the store's. The
// deadline is enforced in [Service.Act] itself; [Service.Sweep] merely makes it happen without anybody asking. The
// reminder is superseded when both are due.
//
// # Action policies and guards
//
// An [ActionPolicy] makes the decisions of a flow depend on conditions: on a reason that is given, and on every [Guard]
// that it names (seed 002, phase 2). Policies are data that administrators change while the program runs.
//
// One policy governs a decision: of those that apply the one of the highest priority, among equals the newest
// ([Governing]). A policy applies when flow and action are its own, its state constraints admit the request's status, and
// its actors name somebody who decides: who acts, in whose name, in whose place. One that does not apply says nothing, so
// the next one may govern, and where none applies the action is allowed. What the governing one refuses no lower policy
// rescues. Policies restrict, they grant nothing: whoever may not decide otherwise may not by any policy.
//
// Guards are asked inside the decision's transaction. All failures are listed; a guard that is unknown or fails to answer
// refuses. If [ChatAckCompleted] is all that fails, somebody with the role admin or mgmt may decide in spite of it: without
// a reason they are asked for one ([ErrReasonRequired]), and the reason that they then give overrides the guard. That is
// audited (action_policy_override) and Config.Auditors are told. Nothing else can be overridden: not another guard, not
// four eyes, not a deadline.
//
// [Service.EvaluateAction] is the dry run; Act runs the same function. Config.Follower is told of every decision in its
// transaction.
package approval
