package opiniohires

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
)

// Source is the name under which the directory knows recruiting: the source of its imports, and the external system.
const Source = "opinio"

// Hire is who recruiting hands over. ID, ConfirmedAt, FirstName and LastName are required.
type Hire struct {
	ID          string    `json:"hire_id" validate:"required,maxrunes=200,single_line"` // recruiting's own, stable
	ConfirmedAt time.Time `json:"confirmed_at"`

	FirstName         string     `json:"first_name"`
	LastName          string     `json:"last_name"`
	Email             string     `json:"email,omitempty"`
	Phone             string     `json:"phone,omitempty"`
	EmployeeReference string     `json:"employee_reference,omitempty"` // if recruiting gives it
	JobTitle          string     `json:"job_title,omitempty"`
	StartDate         staff.Date `json:"employment_start_date,omitempty"`
	EndDate           staff.Date `json:"employment_end_date,omitempty"` // of a fixed term
	Unit              string     `json:"organisational_unit,omitempty"` // by name
	Department        string     `json:"department,omitempty"`          // the unit around it, or the unit itself when no other is named
	Manager           string     `json:"line_manager_reference,omitempty"`
}

// Receipt is the directory's word that a hire has arrived.
type Receipt struct {
	HireID   string `json:"hire_id"`
	PersonID int64  `json:"person_id"`
	UserID   string `json:"user_id,omitempty"` // empty: they have no user account
	Repeated bool   `json:"repeated"`          // it had arrived before
}

// What can be wrong with a hand-off, beside what staff.Service.Import returns.
var (
	ErrNotConfirmed = fault.New(fault.Conflict, "hire_not_confirmed", "only a confirmed hire is handed over")
	ErrChanged      = staff.ErrHiredAlready
)

// Directory is where hires go; staff.Service is one.
type Directory interface {
	Import(ctx context.Context, by identity.Principal, source string, h staff.NewHire) (staff.Hired, error)
	Imported(ctx context.Context, by identity.Principal, source, externalID string) (staff.View, bool, error)
}

// Target takes over hires. It is safe for concurrent use.
type Target struct{ staff Directory }

// New makes a Target.
func New(people Directory) *Target { return &Target{people} }

// by is who imports, in the audit trail too.
func by(tenant identity.TenantID) identity.Principal { return identity.System(tenant, Source) }

// HandOff takes over a hire. Doing it again returns the same. It returns ErrNotConfirmed, ErrChanged,
// staff.ErrDuplicateReference, or a fault like check.ErrInput with locations such as "hire.first_name".
func (t *Target) HandOff(ctx context.Context, tenant identity.TenantID, h Hire) (Receipt, error) {
	if err := check.Struct(h); err != nil {
		return Receipt{}, check.Prefix(err, "hire")
	}
	if h.ConfirmedAt.IsZero() {
		return Receipt{}, ErrNotConfirmed
	}
	out, err := t.staff.Import(ctx, by(tenant), Source, staff.NewHire{
		ExternalID: h.ID, FirstName: h.FirstName, LastName: h.LastName, Email: h.Email, Phone: h.Phone, EmployeeReference: h.EmployeeReference,
		JobTitle: h.JobTitle, EmploymentStart: h.StartDate, EmploymentEnd: h.EndDate, OrganisationalUnit: h.Unit, Department: h.Department, LineManager: h.Manager,
	})
	if err != nil {
		return Receipt{}, located(err)
	}
	return Receipt{h.ID, out.Person.ID, out.Person.UserID, out.Replayed}, nil
}

// located calls what the directory calls "new_hire" by the name that the caller knows.
func located(err error) error {
	f := fault.As(err)
	if f == nil || len(f.Fields) == 0 {
		return err
	}
	c := *f
	c.Fields = make([]fault.Field, len(f.Fields))
	for i, field := range f.Fields {
		c.Fields[i] = fault.Field{Location: "hire" + strings.TrimPrefix(field.Location, "new_hire"), Message: field.Message}
	}
	return &c
}

// Confirm says whether a hire has arrived and is still known, for who was not told how HandOff ended.
func (t *Target) Confirm(ctx context.Context, tenant identity.TenantID, hireID string) (Receipt, bool, error) {
	v, found, err := t.staff.Imported(ctx, by(tenant), Source, hireID)
	if err != nil || !found {
		return Receipt{}, false, err
	}
	return Receipt{hireID, v.Person.ID, v.Person.UserID, true}, true, nil
}

// Final says whether an error of HandOff will be the same for the same hire until a person has changed something, so that
// it is for people to see and not to try again.
func Final(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	switch fault.CodeOf(err) {
	case fault.Invalid, fault.Conflict, fault.Forbidden, fault.NotFound, fault.Unauthenticated, fault.Precondition:
		return true
	case fault.RateLimited, fault.Unavailable, fault.Internal:
	}
	return false
}
