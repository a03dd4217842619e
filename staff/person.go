package staff

import (
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// The kinds of people (Person.Type).
const (
	TypeStaff     = "staff"
	TypeSupported = "person_we_support"
)

// The states of a photo (Person.Photo). Empty: there is none.
const (
	PhotoPending  = "pending"
	PhotoApproved = "approved"
	PhotoRejected = "rejected"
)

// Person is somebody of the organisation. The service knows them by ID, the other packages by UserID, which only people
// with a user account have. Optional texts are empty, not absent.
type Person struct {
	ID        int64     `json:"id"`                                                         // given by the store
	UserID    string    `json:"user_id" validate:"omitempty,maxrunes=255,text"`             // unique in the tenant; empty: no user account
	Email     string    `json:"email" validate:"omitempty,email_addr"`                      // kept in the form of identity.NormalEmail; not unique
	Name      string    `json:"name" validate:"required,maxrunes=201,single_line"`          // as shown to others; default: first and last name
	ManagerID string    `json:"manager_id" validate:"omitempty,maxrunes=255,text"`          // the user id of who leads them; empty: nobody. May name somebody who comes later
	Roles     []string  `json:"roles" validate:"max=100,dive,required,maxrunes=100,text"`   // sorted, without repetitions
	Groups    []string  `json:"groups" validate:"max=100,dive,required,maxrunes=100,text"`  // as Roles
	Channels  []string  `json:"channels" validate:"max=20,dive,required,maxrunes=100,text"` // preferred notice channels, first choice first; empty: mail
	TimeZone  string    `json:"time_zone" validate:"omitempty,iana_tz"`                     // empty: the tenant's
	Locale    string    `json:"locale" validate:"omitempty,bcp47_language_tag"`             // empty: the tenant's
	Active    bool      `json:"is_active"`
	OnLeave   bool      `json:"on_leave"`
	CreatedAt time.Time `json:"created_at"` // given by the service, as UpdatedAt is
	UpdatedAt time.Time `json:"updated_at"`

	Type              string `json:"person_type" validate:"oneof=staff person_we_support"` // default TypeStaff
	FirstName         string `json:"first_name" validate:"maxrunes=100,single_line"`
	LastName          string `json:"last_name" validate:"maxrunes=100,single_line"`
	Phone             string `json:"phone" validate:"omitempty,maxrunes=50,single_line"`
	DateOfBirth       Date   `json:"date_of_birth"`
	EmployeeReference string `json:"employee_reference" validate:"omitempty,maxrunes=100,single_line"` // unique in the tenant
	JobTitle          string `json:"job_title" validate:"omitempty,maxrunes=200,single_line"`
	EmploymentStart   Date   `json:"employment_start_date"`
	EmploymentEnd     Date   `json:"employment_end_date"` // the last day
	LineManagerID     int64  `json:"line_manager_id"`     // who leads them, by ID; 0: nobody, or nobody here. The store keeps it and ManagerID alike
	Photo             string `json:"photo_approval_status" validate:"omitempty,oneof=pending approved rejected"`
	CostCentre        string `json:"cost_centre" validate:"omitempty,maxrunes=100,single_line"`
	SalaryGrade       string `json:"salary_grade" validate:"omitempty,maxrunes=100,single_line"`

	Version  int64     `json:"version"` // rises by one with each change of the person or their units, from 1
	ErasedAt time.Time `json:"-"`       // when their data were erased; zero: not

	// Units are the assignments that have not ended, the primary one first. Only the reads that say so fill it in; writes
	// ignore it.
	Units []Assignment `json:"organisational_units" validate:"-"`
}

// Identity returns what the other packages need to know of the person.
func (p Person) Identity() identity.Person {
	return identity.Person{
		ID: p.UserID, Email: p.Email, Name: p.Name, ManagerID: p.ManagerID, Roles: slices.Clone(p.Roles), Groups: slices.Clone(p.Groups),
		Active: p.Active, OnLeave: p.OnLeave, TimeZone: p.TimeZone, Locale: p.Locale, Channels: slices.Clone(p.Channels),
	}
}

// Holds returns the names by which the person is found as a holder: roles and groups, sorted, each once.
func (p Person) Holds() []string { return set(slices.Concat(p.Roles, p.Groups)) }

// SortKey is what lists are ordered by: last name, then first name, without regard to case.
func (p Person) SortKey() string {
	return strings.ToLower(p.LastName) + "\t" + strings.ToLower(p.FirstName)
}

// set returns the distinct members of list in order.
func set(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// complete fills in what follows from the rest and brings it into the form to store.
func (p Person) complete() Person {
	p.Email = identity.NormalEmail(p.Email)
	p.Roles, p.Groups, p.Channels = set(p.Roles), set(p.Groups), append([]string{}, p.Channels...)
	p = p.named()
	if p.FirstName == "" && p.LastName == "" {
		p.FirstName, p.LastName = split(p.Name)
	}
	return p
}

// named fills in the display name and the type.
func (p Person) named() Person {
	if p.Type == "" {
		p.Type = TypeStaff
	}
	if p.Name == "" {
		p.Name = strings.TrimSpace(p.FirstName + " " + p.LastName)
	}
	return p
}

// split takes the last word of a name as the last name.
func split(name string) (first, last string) {
	name = strings.TrimSpace(name)
	i := strings.LastIndexByte(name, ' ')
	return firstRunes(strings.TrimSpace(name[:max(i, 0)]), 100), firstRunes(name[i+1:], 100)
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// Date is a day in the form 2006-01-02; empty: none. Dates compare as texts do.
type Date string

// DateOf returns the day of an instant in its location.
func DateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }

// Valid says whether it is a day between 1900 and 2200, or empty.
func (d Date) Valid() bool {
	if d == "" {
		return true
	}
	t, err := time.Parse(time.DateOnly, string(d))
	return err == nil && t.Year() >= 1900 && t.Year() <= 2200
}
