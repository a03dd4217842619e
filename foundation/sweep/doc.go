// Package sweep makes happen what falls due with time: deadlines, reminders, what is old enough to be deleted.
//
// A package offers its due work as a Func. [Every] calls such functions again and again, or a program does from a clock of
// its own; [Claims] is how a Func works off rows that several nodes claim in batches, where one that fails holds up none.
package sweep
