package graphsync

import (
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/staff"
)

// Person is somebody of the staff as far as Entra is concerned.
type Person struct {
	ID        int64
	Reference string // employee reference: employeeId in Entra
	Email     string // userPrincipalName
	Name      string // displayName
	JobTitle  string
	Manager   int64 // the ID of who leads them; 0: nobody
	Wanted    bool  // is to have an account today
	Units     []int64
}

// The longest texts that Graph takes, in characters.
const (
	longestReference = 16
	longestTitle     = 128
)

// PersonOf takes from a record what Entra is told: who is active staff and between their first and last day is to have
// an account; a person is in the units that they are assigned to today. A job title is cut to what Graph takes.
func PersonOf(r staff.Record, today staff.Date) Person {
	p := Person{
		ID: r.ID, Reference: r.EmployeeReference, Email: r.Email, Name: r.Name, JobTitle: cut(r.JobTitle, longestTitle), Manager: r.LineManagerID,
	}
	p.Wanted = r.Active && r.Type == staff.TypeStaff && r.ErasedAt.IsZero() &&
		r.EmploymentStart <= today && (r.EmploymentEnd == "" || r.EmploymentEnd >= today)
	for _, a := range r.Units {
		if a.Current(today) {
			p.Units = append(p.Units, a.UnitID)
		}
	}
	slices.Sort(p.Units)
	p.Units = slices.Compact(p.Units)
	return p
}

// cut returns the first n characters of a text.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return strings.TrimSpace(text[:i])
		}
		n--
	}
	return text
}

// Kind is what is kept alike: an account of a person, or a group of a unit.
type Kind string

// The kinds.
const (
	KindUser  Kind = "user"
	KindGroup Kind = "group"
)

// Rule is how a Link came about.
type Rule string

// The rules.
const (
	RuleCreated    Rule = "created"     // this package made the object
	RuleEmployeeID Rule = "employee_id" // the one account with the employee reference
	RuleUniqueName Rule = "unique_name" // the group of that name
	RuleManual     Rule = "manual"      // somebody said so
)

// Link ties a person to an account or a unit to a group, and remembers how that went. Who has no account yet has one too,
// once it was tried to make it.
type Link struct {
	Kind   Kind
	Local  int64  // the ID of the person or unit
	Remote string // the id in Entra; empty: none yet
	Rule   Rule   // empty as long as there is no Remote

	Pending    string    // the user principal name of an account that is being made
	DisabledAt time.Time // when this package disabled the account; zero: it did not
	Seen       []int64   // of a group: the people who were seen in it, kept while Entra owns the members

	Failures int       // in a row
	Reason   string    // of the last failure
	NextTry  time.Time // quarantine: not before
}

// Waits says whether the object is in quarantine.
func (l Link) Waits(now time.Time) bool { return l.NextTry.After(now) }

// Snapshot is all that a plan follows from.
type Snapshot struct {
	People     []Person
	Units      []staff.Unit
	Accounts   map[string]Account // by id
	Groups     map[string]Group   // by id
	Links      []Link
	Now        time.Time
	LastPeople int // how many were to have an account when it last went well; 0: not known
}
