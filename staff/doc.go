// Package staff is the directory of an organisation: its people, who leads whom, who holds which role and belongs to
// which group, how to reach them, and which mail domains are its own. It is the source of truth (seed 001).
//
// A [Service] implements identity.Directory for the other packages. Every look-up is one indexed query and joins the
// transaction in the context; nothing is cached, so that all nodes see a change at once.
package staff
