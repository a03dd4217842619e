package staff

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Group is a group of a person's fields that is granted or withheld as a whole.
type Group string

// The groups of fields.
const (
	Basic     Group = "basic"
	Work      Group = "work"
	Contact   Group = "contact"
	Payroll   Group = "payroll"
	Sensitive Group = "sensitive"
)

// Groups are field groups that somebody may read.
type Groups []Group

// AllGroups returns every group.
func AllGroups() Groups { return Groups{Basic, Work, Contact, Payroll, Sensitive} }

// DefaultGroups returns what a key reads unless it was given other groups.
func DefaultGroups() Groups { return Groups{Basic, Work} }

// Has says whether g is among them.
func (gs Groups) Has(g Group) bool { return slices.Contains(gs, g) }

// Field is one field of a person as others see it. This table is the only place that decides which group a field is in:
// every answer, event, export and change goes through it.
type Field struct {
	Name  string
	Group Group
	write bool // may be set by Create and Update
	value func(p *Person) any
}

// fields are in the order in which they are shown (seed 001, and the service that it documents).
var fields = []Field{
	{"id", Basic, false, func(p *Person) any { return p.ID }},
	{"organisation_id", Basic, false, nil}, // the tenant, which is no part of Person
	{"person_type", Basic, true, func(p *Person) any { return p.Type }},
	{"user_id", Basic, true, func(p *Person) any { return optional(p.UserID) }},
	{"first_name", Basic, true, func(p *Person) any { return p.FirstName }},
	{"last_name", Basic, true, func(p *Person) any { return p.LastName }},
	{"name", Basic, true, func(p *Person) any { return p.Name }},
	{"email", Contact, true, func(p *Person) any { return optional(p.Email) }},
	{"phone", Contact, true, func(p *Person) any { return optional(p.Phone) }},
	{"date_of_birth", Sensitive, true, func(p *Person) any { return optional(string(p.DateOfBirth)) }},
	{"employee_reference", Work, true, func(p *Person) any { return optional(p.EmployeeReference) }},
	{"job_title", Work, true, func(p *Person) any { return optional(p.JobTitle) }},
	{"employment_start_date", Work, true, func(p *Person) any { return optional(string(p.EmploymentStart)) }},
	{"employment_end_date", Work, true, func(p *Person) any { return optional(string(p.EmploymentEnd)) }},
	{"line_manager_id", Work, true, func(p *Person) any { return positive(p.LineManagerID) }},
	{"is_active", Basic, true, func(p *Person) any { return p.Active }},
	{"photo_approval_status", Basic, true, func(p *Person) any { return optional(p.Photo) }},
	{"cost_centre", Payroll, true, func(p *Person) any { return optional(p.CostCentre) }},
	{"salary_grade", Payroll, true, func(p *Person) any { return optional(p.SalaryGrade) }},
	{"created_at", Basic, false, func(p *Person) any { return p.CreatedAt }},
	{"updated_at", Basic, false, func(p *Person) any { return p.UpdatedAt }},
	{"version", Basic, false, func(p *Person) any { return p.Version }},
	{"organisational_units", Work, false, func(p *Person) any { return p.Units }},
}

// directoryFields change a person without being shown: what the other packages ask the directory for.
var directoryFields = []struct {
	name  string
	value func(p *Person) any
}{
	{"manager_id", func(p *Person) any { return p.ManagerID }},
	{"roles", func(p *Person) any { return set(p.Roles) }},
	{"groups", func(p *Person) any { return set(p.Groups) }},
	{"channels", func(p *Person) any { return append([]string{}, p.Channels...) }},
	{"time_zone", func(p *Person) any { return p.TimeZone }},
	{"locale", func(p *Person) any { return p.Locale }},
	{"on_leave", func(p *Person) any { return p.OnLeave }},
}

// FieldUnits is the name of the field that changes when a person's assignments do.
const FieldUnits = "organisational_units"

// Fields returns the names of the fields that gs lets see, in order.
func (gs Groups) Fields() []string {
	var names []string
	for _, f := range fields {
		if gs.Has(f.Group) {
			names = append(names, f.Name)
		}
	}
	return names
}

// Readable returns those of the names that gs lets see. Directory fields are nobody's to see.
func (gs Groups) Readable(names []string) []string {
	out := []string{}
	for _, f := range fields {
		if gs.Has(f.Group) && slices.Contains(names, f.Name) {
			out = append(out, f.Name)
		}
	}
	return out
}

// GroupOf returns the group of a field that is shown, or false.
func GroupOf(name string) (Group, bool) {
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return "", false
	}
	return fields[i].Group, true
}

// changed returns the names of the fields in which two persons differ, apart from times, version and units.
func changed(a, b Person) []string {
	var names []string
	for _, f := range fields {
		if f.write && f.value(&a) != f.value(&b) {
			names = append(names, f.Name)
		}
	}
	for _, f := range directoryFields {
		if !reflect.DeepEqual(f.value(&a), f.value(&b)) {
			names = append(names, f.name)
		}
	}
	return names
}

// View is a person as somebody with some groups sees them: it marshals to the fields of these groups, in their order.
type View struct {
	Tenant identity.TenantID
	Person Person
	Groups Groups
}

// MarshalJSON implements json.Marshaler.
func (v View) MarshalJSON() ([]byte, error) { return v.Append(nil) }

// Append appends the JSON form to dst.
func (v View) Append(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	for _, f := range fields {
		if !v.Groups.Has(f.Group) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(append(dst, '"'), f.Name...), `":`...)
		var err error
		if f.value == nil {
			dst = AppendOrganisation(dst, v.Tenant)
		} else if dst, err = appendValue(dst, f.value(&v.Person)); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// AppendOrganisation appends the tenant as the seed's organisation_id: a number where it is one, else its text.
func AppendOrganisation(dst []byte, t identity.TenantID) []byte {
	if n, err := strconv.ParseInt(string(t), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(t) {
		return append(dst, t...)
	}
	return AppendString(dst, string(t))
}

func appendValue(dst []byte, value any) ([]byte, error) {
	switch x := value.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return AppendString(dst, x), nil
	case int64:
		return strconv.AppendInt(dst, x, 10), nil
	case bool:
		return strconv.AppendBool(dst, x), nil
	case time.Time:
		return AppendString(dst, x.UTC().Format(time.RFC3339)), nil
	case []Assignment:
		return appendAssignments(dst, x), nil
	}
	raw, err := json.Marshal(value)
	return append(dst, raw...), err
}

func appendAssignments(dst []byte, all []Assignment) []byte {
	dst = append(dst, '[')
	for i, a := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.append(dst)
	}
	return append(dst, ']')
}

// append appends the JSON form of seed 001's service.
func (a Assignment) append(dst []byte) []byte {
	text := func(name, value string) {
		dst = append(append(append(dst, `,"`...), name...), `":`...)
		if value == "" {
			dst = append(dst, "null"...)
			return
		}
		dst = AppendString(dst, value)
	}
	dst = strconv.AppendInt(append(dst, `{"id":`...), a.ID, 10)
	dst = strconv.AppendInt(append(dst, `,"organisational_unit_id":`...), a.UnitID, 10)
	text("unit_name", a.UnitName)
	text("unit_code", a.UnitCode)
	text("role_in_unit", a.Role)
	dst = strconv.AppendBool(append(dst, `,"is_primary":`...), a.Primary)
	text("start_date", string(a.StartDate))
	text("end_date", string(a.EndDate))
	return append(dst, '}')
}

// MarshalJSON implements json.Marshaler.
func (a Assignment) MarshalJSON() ([]byte, error) { return a.append(nil), nil }

// AppendString appends s as a JSON string without escaping for HTML.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + size
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func positive(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}
