package staff

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/renkei-go/renkei/foundation/fault"
)

// hireColumns are the columns of a CSV import, each a member of NewHire by its JSON name.
var hireColumns = map[string]func(h *NewHire, value string) error{
	"external_id":            func(h *NewHire, v string) error { h.ExternalID = v; return nil },
	"first_name":             func(h *NewHire, v string) error { h.FirstName = v; return nil },
	"last_name":              func(h *NewHire, v string) error { h.LastName = v; return nil },
	"email":                  func(h *NewHire, v string) error { h.Email = v; return nil },
	"phone":                  func(h *NewHire, v string) error { h.Phone = v; return nil },
	"date_of_birth":          func(h *NewHire, v string) error { h.DateOfBirth = Date(v); return nil },
	"employee_reference":     func(h *NewHire, v string) error { h.EmployeeReference = v; return nil },
	"job_title":              func(h *NewHire, v string) error { h.JobTitle = v; return nil },
	"employment_start_date":  func(h *NewHire, v string) error { h.EmploymentStart = Date(v); return nil },
	"employment_end_date":    func(h *NewHire, v string) error { h.EmploymentEnd = Date(v); return nil },
	"organisational_unit":    func(h *NewHire, v string) error { h.OrganisationalUnit = v; return nil },
	"organisational_unit_id": func(h *NewHire, v string) (err error) { h.UnitID, err = strconv.ParseInt(v, 10, 64); return err },
	"department":             func(h *NewHire, v string) error { h.Department = v; return nil },
	"role_in_unit":           func(h *NewHire, v string) error { h.Role = v; return nil },
	"is_primary_unit":        func(h *NewHire, v string) error { b, err := strconv.ParseBool(v); h.Primary = &b; return err },
	"line_manager_reference": func(h *NewHire, v string) error { h.LineManager = v; return nil },
}

// HireColumns returns the names of the columns that ReadCSV knows, in order.
func HireColumns() []string {
	names := make([]string, 0, len(hireColumns))
	for name := range hireColumns {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var errManyRows = fault.InvalidField("body", "must have at most 5000 rows")

// ReadCSV reads hires from CSV in UTF-8 (RFC 4180), with or without a byte order mark, whose first row names the columns
// by NewHire's JSON names in any order. It returns a fault with a field such as "row 3" or "header".
func ReadCSV(r io.Reader) ([]NewHire, error) {
	buffered := bufio.NewReader(r)
	if bom, err := buffered.Peek(3); err == nil && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = buffered.Discard(3)
	}
	rows := csv.NewReader(buffered)
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil {
		return nil, fault.InvalidField("header", "must name the columns")
	}
	var columns []func(*NewHire, string) error
	seen := map[string]bool{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		set, ok := hireColumns[name]
		if !ok || seen[name] {
			return nil, fault.InvalidField("header", fmt.Sprintf("has an unknown or repeated column at place %d", i+1))
		}
		seen[name] = true
		columns = append(columns, set)
	}
	var hires []NewHire
	for {
		record, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return hires, nil
		}
		at := fmt.Sprintf("row %d", len(hires)+1)
		if err != nil {
			if parse, ok := errors.AsType[*csv.ParseError](err); ok {
				return nil, fault.InvalidField(at, fmt.Sprintf("is not CSV with %d columns, in line %d", len(columns), parse.Line))
			}
			return nil, err
		}
		if len(hires) == MostRows {
			return nil, errManyRows
		}
		var h NewHire
		for i, value := range record {
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				return nil, fault.InvalidField(at, "must be valid UTF-8")
			}
			if value = strings.TrimSpace(value); value == "" {
				continue
			}
			if err := columns[i](&h, value); err != nil {
				return nil, fault.InvalidField(at, fmt.Sprintf("has no valid value in column %d", i+1))
			}
		}
		hires = append(hires, h)
	}
}

// ReadHire reads one hire from JSON. Members that it does not know are left alone, as the service of seed 001 does.
func ReadHire(raw json.RawMessage) (NewHire, error) {
	var h NewHire
	if len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return h, fault.InvalidField("new_hire", "is required")
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		where := "new_hire"
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			where += "." + wrong.Field
		}
		return h, fault.InvalidField(where, "has another type than it should")
	}
	return h, nil
}
