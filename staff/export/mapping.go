package export

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
)

// Column is one column of an export.
type Column struct {
	Header string `json:"header" validate:"required,maxrunes=100,single_line" example:"Employee Number"`
	Source string `json:"source" validate:"required,maxrunes=100" example:"employee_reference" doc:"A field of a person, or full_name, employment_status, manager_name, manager_reference, unit_names, unit_codes or primary_unit."`
}

// Mapping says which columns an export has.
type Mapping struct {
	Name      string    `json:"name" example:"payroll-2030"`
	Version   int64     `json:"version" doc:"Rises by one with each change; 0: built in."`
	Columns   []Column  `json:"columns" nullable:"false" validate:"min=1,max=100,dive"`
	CreatedBy string    `json:"created_by,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// Store keeps mappings. Implementations are safe for concurrent use and join the transaction in ctx; staffbun is one.
type Store interface {
	// InsertMapping adds the next version of a mapping and returns its number.
	InsertMapping(ctx context.Context, tenant identity.TenantID, m Mapping) (int64, error)
	// Mapping returns a version of a mapping, or the newest for version 0, or ErrUnknownMapping.
	Mapping(ctx context.Context, tenant identity.TenantID, name string, version int64) (Mapping, error)
	// Mappings returns the newest versions of up to limit mappings with a name after the one given, by name.
	Mappings(ctx context.Context, tenant identity.TenantID, after string, limit int) ([]Mapping, error)
}

// What can be wrong with an export.
var (
	ErrUnknownMapping = fault.New(fault.NotFound, "unknown_mapping", "there is no such mapping or version of one")
	ErrUnknownSystem  = fault.New(fault.NotFound, "unknown_system", "exports are for hr, finance and lms")
	ErrBuiltIn        = fault.New(fault.Conflict, "mapping_built_in", "this mapping is built in and cannot be changed")
)

// BuiltIn returns the mappings of seed 001, by the names of their systems.
func BuiltIn() []Mapping {
	return []Mapping{
		{Name: staff.SystemFinance, Columns: []Column{
			{"Payroll ID", "employee_reference"}, {"Full Name", "full_name"}, {"Cost Centres", "unit_names"}, {"Cost Centre Codes", "unit_codes"},
			{"Payroll Status", "employment_status"}, {"Cost Centre", "cost_centre"}, {"Salary Grade", "salary_grade"},
		}},
		{Name: staff.SystemHR, Columns: []Column{
			{"Employee Number", "employee_reference"}, {"Full Name", "full_name"}, {"First Name", "first_name"}, {"Last Name", "last_name"},
			{"Email Address", "email"}, {"Start Date", "employment_start_date"}, {"End Date", "employment_end_date"}, {"Position", "job_title"},
			{"Manager", "manager_name"}, {"Manager Employee Number", "manager_reference"}, {"Department", "unit_names"}, {"Salary Grade", "salary_grade"},
		}},
		{Name: staff.SystemLMS, Columns: []Column{
			{"Learner", "full_name"}, {"Learner ID", "employee_reference"}, {"Email Address", "email"}, {"Job Role", "job_title"}, {"Groups", "unit_names"},
		}},
	}
}

func builtIn(name string) (Mapping, bool) {
	all := BuiltIn()
	i := slices.IndexFunc(all, func(m Mapping) bool { return m.Name == name })
	if i < 0 {
		return Mapping{}, false
	}
	return all[i], true
}

// source gives a column's value; derived fields are in the group of what they are made of.
type source struct {
	group  staff.Group
	append func(dst []byte, today staff.Date, r *staff.Record) []byte
}

func text(group staff.Group, value func(r *staff.Record) string) source {
	return source{group, func(dst []byte, _ staff.Date, r *staff.Record) []byte { return append(dst, value(r)...) }}
}

func number(group staff.Group, value func(r *staff.Record) int64) source {
	return source{group, func(dst []byte, _ staff.Date, r *staff.Record) []byte {
		if n := value(r); n != 0 {
			return strconv.AppendInt(dst, n, 10)
		}
		return dst
	}}
}

func units(value func(a staff.Assignment) string) source {
	return source{staff.Work, func(dst []byte, today staff.Date, r *staff.Record) []byte {
		first := true
		for _, a := range r.Units {
			v := value(a)
			if v == "" || !a.Current(today) {
				continue
			}
			if !first {
				dst = append(dst, "; "...)
			}
			first = false
			dst = append(dst, v...)
		}
		return dst
	}}
}

func stamp(value func(r *staff.Record) time.Time) source {
	return source{staff.Basic, func(dst []byte, _ staff.Date, r *staff.Record) []byte {
		return value(r).UTC().AppendFormat(dst, time.RFC3339)
	}}
}

// sources are the fields of a person by the names of package staff, and derived ones. The groups of the former are
// checked against package staff by the tests.
var sources = map[string]source{
	"id":                    number(staff.Basic, func(r *staff.Record) int64 { return r.ID }),
	"person_type":           text(staff.Basic, func(r *staff.Record) string { return r.Type }),
	"user_id":               text(staff.Basic, func(r *staff.Record) string { return r.UserID }),
	"first_name":            text(staff.Basic, func(r *staff.Record) string { return r.FirstName }),
	"last_name":             text(staff.Basic, func(r *staff.Record) string { return r.LastName }),
	"name":                  text(staff.Basic, func(r *staff.Record) string { return r.Name }),
	"email":                 text(staff.Contact, func(r *staff.Record) string { return r.Email }),
	"phone":                 text(staff.Contact, func(r *staff.Record) string { return r.Phone }),
	"date_of_birth":         text(staff.Sensitive, func(r *staff.Record) string { return string(r.DateOfBirth) }),
	"employee_reference":    text(staff.Work, func(r *staff.Record) string { return r.EmployeeReference }),
	"job_title":             text(staff.Work, func(r *staff.Record) string { return r.JobTitle }),
	"employment_start_date": text(staff.Work, func(r *staff.Record) string { return string(r.EmploymentStart) }),
	"employment_end_date":   text(staff.Work, func(r *staff.Record) string { return string(r.EmploymentEnd) }),
	"line_manager_id":       number(staff.Work, func(r *staff.Record) int64 { return r.LineManagerID }),
	"is_active":             text(staff.Basic, func(r *staff.Record) string { return fmt.Sprint(r.Active) }),
	"photo_approval_status": text(staff.Basic, func(r *staff.Record) string { return r.Photo }),
	"cost_centre":           text(staff.Payroll, func(r *staff.Record) string { return r.CostCentre }),
	"salary_grade":          text(staff.Payroll, func(r *staff.Record) string { return r.SalaryGrade }),
	"created_at":            stamp(func(r *staff.Record) time.Time { return r.CreatedAt }),
	"updated_at":            stamp(func(r *staff.Record) time.Time { return r.UpdatedAt }),
	"version":               number(staff.Basic, func(r *staff.Record) int64 { return r.Version }),

	"full_name": {staff.Basic, func(dst []byte, _ staff.Date, r *staff.Record) []byte {
		dst = append(dst, r.FirstName...)
		if r.FirstName != "" && r.LastName != "" {
			dst = append(dst, ' ')
		}
		return append(dst, r.LastName...)
	}},
	"employment_status": {staff.Work, func(dst []byte, today staff.Date, r *staff.Record) []byte {
		switch {
		case !r.Active, r.EmploymentEnd != "" && r.EmploymentEnd < today:
			return append(dst, "Inactive"...)
		case r.EmploymentStart > today:
			return append(dst, "Pending"...)
		}
		return append(dst, "Active"...)
	}},
	"manager_name":      text(staff.Work, func(r *staff.Record) string { return r.ManagerName }),
	"manager_reference": text(staff.Work, func(r *staff.Record) string { return r.ManagerReference }),
	"unit_names":        units(func(a staff.Assignment) string { return a.UnitName }),
	"unit_codes":        units(func(a staff.Assignment) string { return a.UnitCode }),
	"primary_unit": units(func(a staff.Assignment) string {
		if !a.Primary {
			return ""
		}
		return a.UnitName
	}),
}

// Sources returns the names that columns may have as Source, in order.
func Sources() []string {
	names := make([]string, 0, len(sources))
	for name := range sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var mappingName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// Validate checks a mapping by itself. It returns a fault like check.ErrInput.
func (m Mapping) Validate() error {
	if err := check.Struct(m); err != nil {
		return err
	}
	bad := check.ErrInput
	if !mappingName.MatchString(m.Name) {
		bad = bad.WithField("name", "must have lower-case letters, digits, dots, dashes and underscores")
	}
	seen := map[string]bool{}
	for i, c := range m.Columns {
		if _, ok := sources[c.Source]; !ok {
			bad = bad.WithField(fmt.Sprintf("columns[%d].source", i), "must be one of "+strings.Join(Sources(), ", "))
		}
		if seen[c.Header] {
			bad = bad.WithField(fmt.Sprintf("columns[%d].header", i), "must be there once")
		}
		seen[c.Header] = true
	}
	if len(bad.Fields) == 0 {
		return nil
	}
	return bad
}

// readable leaves out the columns that groups hide.
func (m Mapping) readable(groups staff.Groups) []Column {
	return slices.DeleteFunc(slices.Clone(m.Columns), func(c Column) bool { return !groups.Has(sources[c.Source].group) })
}
