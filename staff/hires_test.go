package staff_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/staff"
)

func TestReadCSV(t *testing.T) {
	got, err := staff.ReadCSV(strings.NewReader("\ufeffLast_Name,first_name,is_primary_unit,organisational_unit_id\r\nDoe, John ,false,7\n\"O\"\"Hara\",,,\n"))
	if err != nil || len(got) != 2 || got[0].FirstName != "John" || *got[0].Primary || got[0].UnitID != 7 || got[1].LastName != `O"Hara` {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, c := range map[string]struct{ csv, field string }{
		"empty":          {"", "header"},
		"unknown column": {"first_name,salary\n", "header"},
		"twice":          {"first_name,first_name\n", "header"},
		"too few":        {"first_name,last_name\na,b\nc\n", "row 2"},
		"quote":          {"first_name\n\"a\n", "row 1"},
		"number":         {"organisational_unit_id\nx\n", "row 1"},
		"no UTF-8":       {"first_name\n\xff\n", "row 1"},
		"NUL":            {"first_name\na\x00\n", "row 1"},
		"many":           {"first_name\n" + strings.Repeat("a\n", staff.MostRows+1), "body"},
	} {
		_, err := staff.ReadCSV(strings.NewReader(c.csv))
		if fields := fault.FieldsOf(err); len(fields) != 1 || fields[0].Location != c.field {
			t.Errorf("%s: %v, want the field %s", name, err, c.field)
		}
	}
	if !slices.Contains(staff.HireColumns(), "employee_reference") {
		t.Error("HireColumns lacks employee_reference")
	}
}

// FuzzReadCSV: whatever comes, there are hires or a fault, and what was read can be written and read again.
func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{
		"first_name,last_name\nJohn,Doe\n", "\ufefffirst_name\r\n\"a\r\nb\"\r\n", "first_name;last_name\na;b", "\"", "first_name\n\"", "employee_reference\n=1+1\n",
		"is_primary_unit\ntrue\n", "organisational_unit_id\n9223372036854775808\n", ",,,\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hires, err := staff.ReadCSV(strings.NewReader(text))
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid || len(fault.FieldsOf(err)) == 0 {
				t.Fatalf("%v", err)
			}
			return
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		_ = w.Write([]string{"first_name", "last_name", "employee_reference"})
		for _, h := range hires {
			_ = w.Write([]string{h.FirstName, h.LastName, h.EmployeeReference})
		}
		w.Flush()
		again, err := staff.ReadCSV(strings.NewReader(b.String()))
		if err != nil || len(again) > len(hires) {
			t.Fatalf("read again: %v", err)
		}
	})
}

// FuzzReadHire: whatever comes, there is a hire or a fault that names a place.
func FuzzReadHire(f *testing.F) {
	for _, seed := range []string{`{"first_name":"John","unknown":[1]}`, `null`, `{"first_name":1}`, `[]`, `{`, `{"organisational_unit_id":1e400}`, `{"is_primary_unit":"x"}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := staff.ReadHire(raw); err != nil && (fault.CodeOf(err) != fault.Invalid || len(fault.FieldsOf(err)) == 0) {
			t.Fatalf("%v", err)
		}
	})
}

// TestViewIsJSON: a view is valid JSON for whatever texts, says what was stored, and holds the members of its groups in
// the order of the list and no other.
func TestViewIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := staff.Groups(rapid.SliceOfDistinct(rapid.SampledFrom(staff.AllGroups()), rapid.ID).Draw(t, "groups"))
		p := staff.Person{
			ID: 7, FirstName: rapid.String().Draw(t, "first"), SalaryGrade: rapid.StringN(1, 20, -1).Draw(t, "grade"), Email: rapid.String().Draw(t, "email"),
			Units: []staff.Assignment{{UnitName: rapid.String().Draw(t, "unit"), Role: "x"}},
		}
		raw, err := json.Marshal(staff.View{Tenant: "1", Person: p, Groups: groups})
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(raw)))
		var names []string
		if _, err := decoder.Token(); err != nil {
			t.Fatal(err)
		}
		for decoder.More() {
			name, _ := decoder.Token()
			names = append(names, fmt.Sprint(name))
			var value any
			if err := decoder.Decode(&value); err != nil {
				t.Fatal(err)
			}
			for field, want := range map[string]string{"first_name": p.FirstName, "salary_grade": p.SalaryGrade} {
				if name == field && value != want {
					t.Fatalf("%s is %q, want %q", field, value, want)
				}
			}
		}
		if !slices.Equal(names, groups.Fields()) {
			t.Fatalf("members %v, want %v", names, groups.Fields())
		}
	})
}

func TestGuardFormula(t *testing.T) {
	for _, bad := range []string{"=1", "+1", "-1", "@x", "\tx", "\rx", "＝1", "＠x", "−1"} {
		if staff.GuardFormula(bad) != "'"+bad {
			t.Errorf("%q passes", bad)
		}
	}
	for _, good := range []string{"", "a=1", "1", "日本"} {
		if staff.GuardFormula(good) != good {
			t.Errorf("%q is changed", good)
		}
	}
}
