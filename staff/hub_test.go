package staff_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/webhook"
)

func TestPeopleChange(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		boss := h.person(t, "Big", "Boss")
		p := must[staff.View](t)(h.Create(ctx, admin, staff.Edit{FirstName: new("Ann"), LastName: new("Bell"), EmployeeReference: new("E1"), LineManagerID: &boss.ID})).Person
		want(t, "made", []any{p.Name, p.Type, p.Active, p.Version}, []any{"Ann Bell", "staff", true, 1})
		_, err := h.Create(ctx, admin, staff.Edit{FirstName: new("X"), LastName: new("Y"), EmployeeReference: new("E1")})
		if !errors.Is(err, staff.ErrDuplicateReference) || fault.As(err).Details["existing_person_id"] != p.ID {
			t.Errorf("the same reference: %v", err)
		}
		_, cursor := h.log(t, admin, "")
		same := must[staff.View](t)(h.Update(ctx, admin, p.ID, 1, staff.Edit{FirstName: new("Ann")})).Person
		want(t, "version without a change", same.Version, 1)
		h.now = h.now.Add(time.Hour)
		p = must[staff.View](t)(h.Update(ctx, admin, p.ID, 1, staff.Edit{LastName: new("Cole"), Photo: new(staff.PhotoApproved), Active: new(false)})).Person
		want(t, "changed", []any{p.Name, p.Version, p.UpdatedAt.Equal(h.now), p.LineManagerID}, []any{"Ann Cole", 2, true, boss.ID})
		if _, err := h.Update(ctx, admin, p.ID, 1, staff.Edit{LastName: new("Z")}); !errors.Is(err, staff.ErrVersion) {
			t.Errorf("a stale version: %v", err)
		}
		events, _ := h.log(t, admin, cursor)
		want(t, "events", events, []string{staff.EventUpdated, staff.EventDeactivated, staff.EventPhotoApproved})
		for _, event := range []string{staff.EventCreated, staff.EventUpdated, staff.EventDeactivated, staff.EventPhotoApproved} {
			if len(h.ledger.Lines(t, "event", event)) == 0 {
				t.Errorf("%s was not published", event)
			}
		}
		for name, c := range map[string]struct {
			edit  staff.Edit
			field string
		}{
			"no name":        {staff.Edit{FirstName: new(" ")}, "first_name"},
			"date":           {staff.Edit{DateOfBirth: new(staff.Date("2030-02-30"))}, "date_of_birth"},
			"end first":      {staff.Edit{EmploymentStart: new(staff.Date("2030-02-03")), EmploymentEnd: new(staff.Date("2030-02-02"))}, "employment_end_date"},
			"own manager":    {staff.Edit{LineManagerID: &p.ID}, "line_manager_id"},
			"no manager":     {staff.Edit{LineManagerID: new(int64(999))}, "line_manager_id"},
			"photo":          {staff.Edit{Photo: new("nice")}, "photo_approval_status"},
			"machine's name": {staff.Edit{UserID: new("key:1")}, "user_id"},
		} {
			_, err := h.Update(ctx, admin, p.ID, staff.AnyVersion, c.edit)
			if fields := fault.FieldsOf(err); !errors.Is(err, check.ErrInput) || len(fields) != 1 || fields[0].Location != c.field {
				t.Errorf("%s: %v, want the field %s", name, err, c.field)
			}
		}
		one := must[[]staff.Person](t)(h.Upsert(ctx, admin, staff.Person{UserID: "one", Name: "Plato", Active: true}))[0]
		one = must[staff.View](t)(h.Update(ctx, admin, one.ID, staff.AnyVersion, staff.Edit{Active: new(false)})).Person
		want(t, "who has one name", []any{one.Active, one.FirstName, one.LastName, one.Name}, []any{false, "", "Plato", "Plato"})
		hr := identity.Principal{Tenant: "acme", Actor: "hr", Roles: []string{"hr"}}
		if _, err := h.Update(ctx, hr, p.ID, staff.AnyVersion, staff.Edit{Roles: &[]string{"admin"}}); !errors.Is(err, staff.ErrForbidden) {
			t.Errorf("HR makes an administrator: %v", err)
		}
		for _, by := range []identity.Principal{{Tenant: "acme", Actor: "alice"}, admin.For("exec")} {
			if _, err := h.Get(ctx, by, p.ID); !errors.Is(err, staff.ErrReadForbidden) {
				t.Errorf("Get by %+v: %v", by, err)
			}
		}
		rival := identity.Principal{Tenant: "rival", Actor: "admin", Roles: []string{"admin"}}
		if _, err := h.Get(ctx, rival, p.ID); !errors.Is(err, staff.ErrUnknownPerson) {
			t.Errorf("Get in another tenant: %v", err)
		}
	})
}

func TestAssignmentsHaveHistory(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		p, a, b := h.person(t, "Ann", "Bell"), h.unit(t, "A", 0), h.unit(t, "B", 0)
		first := must[staff.Assignment](t)(h.Assign(ctx, admin, p.ID, staff.NewAssignment{UnitID: a.ID}))
		want(t, "the first is primary", []any{first.Primary, first.Role, first.UnitName}, []any{true, "member", "A"})
		if _, err := h.Assign(ctx, admin, p.ID, staff.NewAssignment{UnitID: a.ID}); !errors.Is(err, staff.ErrDuplicateAssign) {
			t.Errorf("twice in a unit: %v", err)
		}
		once := staff.NewAssignment{UnitID: b.ID, StartDate: "2020-01-01", EndDate: "2020-12-31"}
		q := h.person(t, "Bob", "Cole")
		must[staff.Assignment](t)(h.Assign(ctx, admin, q.ID, once))
		once.StartDate, once.EndDate = "2019-01-01", "2020-01-01"
		if _, err := h.Assign(ctx, admin, q.ID, once); !errors.Is(err, staff.ErrDuplicateAssign) {
			t.Errorf("history twice: %v", err)
		}
		once.EndDate = "2019-12-31"
		must[staff.Assignment](t)(h.Assign(ctx, admin, q.ID, once))
		_, cursor := h.log(t, admin, "")
		must[staff.Assignment](t)(h.Assign(ctx, admin, p.ID, staff.NewAssignment{UnitID: b.ID, Primary: true, StartDate: "2030-01-17", EndDate: "2030-01-18"}))
		now := must[staff.View](t)(h.Get(ctx, admin, p.ID)).Person
		if len(now.Units) != 2 || now.Units[0].UnitID != a.ID || !now.Units[0].Primary || !now.Units[1].Primary {
			t.Errorf("units: %+v", now.Units)
		}
		for _, day := range []struct {
			after time.Duration
			event []string
		}{{0, []string{staff.EventUpdated}}, {24 * time.Hour, nil}, {48 * time.Hour, []string{staff.EventAssigned}}, {72 * time.Hour, nil}, {96 * time.Hour, []string{staff.EventRemoved}}} {
			h.now = t0.Add(day.after)
			must[int](t)(h.Sweep(ctx, 100))
			must[int](t)(h.Sweep(ctx, 100))
			var events []string
			events, cursor = h.log(t, admin, cursor)
			want(t, fmt.Sprint("events after ", day.after), events, day.event)
			for _, x := range must[staff.View](t)(h.Get(ctx, admin, p.ID)).Person.Units {
				if x.Current(h.Today()) && x.Primary != (x.UnitID == b.ID || day.after < 48*time.Hour) {
					t.Errorf("after %v: %+v", day.after, x)
				}
			}
		}
		if err := h.Unassign(ctx, admin, p.ID, first.ID, ""); err != nil {
			t.Fatal(err)
		}
		events, _ := h.log(t, admin, cursor)
		want(t, "events", events, []string{staff.EventRemoved})
		if err := h.Unassign(ctx, admin, p.ID, first.ID, ""); !errors.Is(err, staff.ErrUnknownAssignment) {
			t.Errorf("ended twice: %v", err)
		}
		all := must[[]staff.Assignment](t)(h.Assignments(ctx, admin, p.ID))
		if now := must[staff.View](t)(h.Get(ctx, admin, p.ID)).Person; len(all) != 2 || len(now.Units) != 0 {
			t.Errorf("history %+v, now %+v", all, now.Units)
		}
	})
}

func TestUnits(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		top := h.unit(t, "Top", 0)
		team := h.unit(t, "Team", top.ID)
		p := h.person(t, "Ann", "Bell")
		must[staff.Assignment](t)(h.Assign(ctx, admin, p.ID, staff.NewAssignment{UnitID: team.ID}))
		_, cursor := h.log(t, admin, "")
		team = must[staff.Unit](t)(h.ChangeUnit(ctx, admin, team.ID, team.Version, staff.UnitEdit{Name: new("Crew")}))
		events, _ := h.log(t, admin, cursor)
		want(t, "a new name is news of its people", events, []string{staff.EventUnitUpdated, staff.EventUpdated})
		if got := must[staff.View](t)(h.Get(ctx, admin, p.ID)).Person; got.Units[0].UnitName != "Crew" {
			t.Errorf("units: %+v", got.Units)
		}
		if _, err := h.ChangeUnit(ctx, admin, top.ID, staff.AnyVersion, staff.UnitEdit{ParentID: &team.ID}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("a unit inside itself: %v", err)
		}
		if err := h.DeleteUnit(ctx, admin, top.ID); !errors.Is(err, staff.ErrUnitInUse) {
			t.Errorf("a unit with units: %v", err)
		}
		if _, err := h.CreateUnit(ctx, admin, staff.UnitEdit{Name: new("Crew"), ParentID: &top.ID}); !errors.Is(err, staff.ErrDuplicateUnit) {
			t.Errorf("the same name: %v", err)
		}
	})
}

func TestChangeLog(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		plain, _, _ := h.key(t, staff.NewKey{Name: "plain"})
		p := h.person(t, "Ann", "Bell")
		_, cursor := h.log(t, plain, "")
		must[staff.View](t)(h.Update(ctx, admin, p.ID, staff.AnyVersion, staff.Edit{SalaryGrade: new("G9")}))
		events, cursor2 := h.log(t, plain, cursor)
		want(t, "changes of hidden fields", events, []string{})
		if cursor2 == cursor {
			t.Error("the cursor stays before what is hidden")
		}
		events, _ = h.log(t, admin, cursor)
		want(t, "changes that are seen", events, []string{staff.EventUpdated})
		if err := h.Erase(ctx, admin, p.ID); err != nil {
			t.Fatal(err)
		}
		feed := must[staff.Feed](t)(h.Changes(ctx, plain, page.Request{Cursor: cursor2}))
		if len(feed.Items) != 1 || !feed.Items[0].Deleted || feed.Items[0].Person != nil {
			t.Errorf("tombstone: %+v", feed.Items)
		}
		end := must[staff.Feed](t)(h.Changes(ctx, plain, page.Request{Cursor: staff.CursorNow}))
		want(t, "the end", end.Cursor, feed.Cursor)
		h.now = h.now.Add(90 * 24 * time.Hour)
		must[int](t)(h.Sweep(ctx, 100))
		if _, err := h.Changes(ctx, plain, page.Request{Cursor: cursor}); err != nil {
			t.Errorf("after 90 days: %v", err)
		}
		h.now = h.now.Add(11 * 24 * time.Hour)
		must[int](t)(h.Sweep(ctx, 100))
		if _, err := h.Changes(ctx, plain, page.Request{Cursor: cursor}); !errors.Is(err, staff.ErrCursorExpired) {
			t.Errorf("after 101 days: %v", err)
		}
		if _, err := h.Changes(ctx, plain, page.Request{Cursor: feed.Cursor}); err != nil {
			t.Errorf("from the end: %v", err)
		}
		if _, err := h.Changes(ctx, plain, page.Request{Cursor: page.Encode("other", 1)}); !errors.Is(err, page.ErrBadCursor) {
			t.Errorf("a foreign cursor: %v", err)
		}
	})
}

var seedHire = staff.NewHire{
	FirstName: "John", LastName: "Doe", Email: "john.doe@example.com", EmployeeReference: "EMP001", JobTitle: "Support Worker",
	EmploymentStart: "2024-02-01", OrganisationalUnit: "Care Team A", Department: "Adult Services",
}

func TestImport(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		adults, children := h.unit(t, "Adult Services", 0), h.unit(t, "Children", 0)
		team := h.unit(t, "Care Team A", adults.ID)
		h.unit(t, "Care Team A", children.ID)
		by, _, _ := h.key(t, staff.NewKey{Name: "ats", Scopes: []staff.Scope{staff.ScopeImport}})
		out := must[staff.Hired](t)(h.Import(ctx, by, "ats-1", seedHire))
		if p := out.Person; p.UserID != "john.doe" || len(p.Units) != 1 || p.Units[0].UnitID != team.ID || out.Replayed {
			t.Errorf("hired %+v", p)
		}
		again := must[staff.Hired](t)(h.Import(ctx, by, "ats-1", seedHire))
		if !again.Replayed || again.Person.ID != out.Person.ID {
			t.Errorf("again: %+v", again)
		}
		other := seedHire
		other.FirstName = "Jane"
		for source, wanted := range map[string]error{"ats-1": staff.ErrHiredAlready, "ats-2": staff.ErrDuplicateReference} {
			_, err := h.Import(ctx, by, source, other)
			if f := fault.As(err); !errors.Is(err, wanted) || f.Details["existing_person_id"] != out.Person.ID {
				t.Errorf("%s: %v", source, err)
			}
		}
		for _, event := range []string{staff.EventCreated, staff.EventAssigned, staff.EventOnboarding, staff.EventImported} {
			want(t, event, len(h.ledger.Lines(t, "event", event)), 1)
		}
		for field, change := range map[string]func(*staff.NewHire){
			"new_hire.first_name":             func(n *staff.NewHire) { n.FirstName = "" },
			"new_hire.email":                  func(n *staff.NewHire) { n.Email = "nobody" },
			"new_hire.employment_start_date":  func(n *staff.NewHire) { n.EmploymentStart = "1 May" },
			"new_hire.organisational_unit":    func(n *staff.NewHire) { n.OrganisationalUnit = "Care Team Z" },
			"new_hire.department":             func(n *staff.NewHire) { n.Department = "Moon" },
			"new_hire.organisational_unit_id": func(n *staff.NewHire) { n.UnitID = 999 },
			"new_hire.line_manager_reference": func(n *staff.NewHire) { n.LineManager = "nobody" },
		} {
			n := seedHire
			n.EmployeeReference = "EMP-" + field
			change(&n)
			_, err := h.Import(ctx, by, "ats-1", n)
			if fields := fault.FieldsOf(err); fault.CodeOf(err) != fault.Invalid || len(fields) != 1 || fields[0].Location != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		ambiguous := seedHire
		ambiguous.EmployeeReference, ambiguous.Department = "EMP-A", ""
		if _, err := h.Import(ctx, by, "ats-1", ambiguous); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("a name of two units: %v", err)
		}

		hires := []staff.NewHire{{FirstName: "A", LastName: "One", EmployeeReference: "B1"}, {FirstName: "A", LastName: "Two", EmployeeReference: "B1"}, {LastName: "Three"}, seedHire}
		for _, dry := range []bool{true, false} {
			rows := must[[]staff.Row](t)(h.ImportAll(ctx, by, "ats-1", hires, dry))
			var states []string
			for _, r := range rows {
				states = append(states, r.Status)
			}
			want(t, fmt.Sprint("rows, dry ", dry), states, []string{"created", "refused", "refused", "replayed"})
			if f := fault.As(rows[1].Err); (f.Details["existing_person_id"] == nil) != dry { // who is not there has no number
				t.Errorf("dry %v: %v", dry, f.Details)
			}
			if (rows[0].PersonID == 0) != dry {
				t.Errorf("dry %v: person %d", dry, rows[0].PersonID)
			}
		}
		if _, err := h.Import(ctx, identity.Principal{Tenant: "acme", Actor: "key:1", Scopes: []string{"staff:read"}}, "x", seedHire); !errors.Is(err, staff.ErrReadForbidden) {
			t.Errorf("without the scope: %v", err)
		}
	})
}

func TestExternalSystems(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		must[[]staff.Person](t)(h.Upsert(ctx, admin, staff.Person{UserID: "boss", Name: "Boss", Roles: []string{"admin"}, Active: true}))
		by, _, _ := h.key(t, staff.NewKey{Name: "payroll", SystemType: staff.SystemFinance})
		if err := h.Pulled(ctx, by, "export finance", 5, nil); err != nil {
			t.Fatal(err)
		}
		read := func() staff.System {
			return must[page.Page[staff.System]](t)(h.ExternalSystems(ctx, admin, page.Request{})).Items[0]
		}
		y := read()
		want(t, "after a pull", []any{y.Name, y.Type, y.Status, y.StaleAfter.Equal(t0.Add(24 * time.Hour))}, []any{"payroll", "finance", "active", true})
		if err := h.Pulled(ctx, by, "export finance", -1, staff.ErrUnknownPerson); err != nil || read().Status != staff.SyncActive {
			t.Errorf("a wrong question is a failure: %v", err)
		}
		sweep := func(after time.Duration, late, failing int) {
			t.Helper()
			h.now = t0.Add(after)
			must[int](t)(h.Sweep(ctx, 10))
			want(t, fmt.Sprint("alerts after ", after), []int{len(h.ledger.Told(t, staff.TemplateLate)), len(h.ledger.Told(t, staff.TemplateFailing))}, []int{late, failing})
		}
		sweep(23*time.Hour, 0, 0)
		sweep(25*time.Hour, 1, 0)
		sweep(26*time.Hour, 1, 0)
		if err := h.Pulled(ctx, by, "export finance", -1, errors.New("disk full of s3cret")); err != nil {
			t.Fatal(err)
		}
		if y := read(); y.Status != staff.SyncFailed || y.Error != "internal" {
			t.Errorf("after a failure: %+v", y)
		}
		sweep(27*time.Hour, 1, 0) // told of already
		_ = h.Pulled(ctx, by, "export finance", 1, nil)
		_ = h.Pulled(ctx, by, "export finance", -1, errors.New("again"))
		sweep(28*time.Hour, 1, 1)
	})
}

func TestWebhookView(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		_, k, _ := h.key(t, staff.NewKey{Name: "lms"})
		p := h.person(t, "Ann", "Bell")
		must[staff.View](t)(h.Update(ctx, admin, p.ID, staff.AnyVersion, staff.Edit{SalaryGrade: new("PAYBAND"), JobTitle: new("Nurse")}))
		sub := webhook.Subscription{Tenant: "acme", Owner: staff.Owner(k.ID)}
		see := func(sub webhook.Subscription, eventType string, data staff.EventData) string {
			t.Helper()
			v, ok, err := h.Webhook(ctx, sub, transport.Event{Tenant: "acme", Type: eventType, Data: data})
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return ""
			}
			raw, _ := json.Marshal(v)
			return string(raw)
		}
		got := see(sub, staff.EventUpdated, staff.EventData{PersonID: p.ID, Fields: []string{"salary_grade", "job_title"}})
		if !strings.Contains(got, `"job_title":"Nurse"`) || !strings.Contains(got, `"changed_fields":["job_title"]`) || strings.Contains(got, "PAYBAND") || strings.Contains(got, "salary") {
			t.Errorf("payload %s", got)
		}
		want(t, "a change of what is hidden", see(sub, staff.EventUpdated, staff.EventData{PersonID: p.ID, Fields: []string{"salary_grade"}}), "")
		want(t, "somebody else's import", see(sub, staff.EventImported, staff.EventData{PersonID: p.ID, KeyID: k.ID + 1}), "")
		if got := see(sub, staff.EventImported, staff.EventData{PersonID: p.ID, KeyID: k.ID, Source: "ats", ExternalID: "7"}); !strings.Contains(got, `"external_id":"7"`) {
			t.Errorf("confirmation %s", got)
		}
		if got := see(webhook.Subscription{Tenant: "acme"}, staff.EventUpdated, staff.EventData{PersonID: p.ID}); strings.Contains(got, "PAYBAND") {
			t.Errorf("nobody's subscription sees %s", got)
		}
		if err := h.Erase(ctx, admin, p.ID); err != nil {
			t.Fatal(err)
		}
		want(t, "old news of who is erased", see(sub, staff.EventUpdated, staff.EventData{PersonID: p.ID}), "")
		if got := see(sub, staff.EventDeactivated, staff.EventData{PersonID: p.ID}); !strings.Contains(got, `"erased":true`) || strings.Contains(got, "Ann") {
			t.Errorf("erased: %s", got)
		}
		if err := h.RevokeKey(ctx, admin, k.ID); err != nil {
			t.Fatal(err)
		}
		want(t, "after the key was revoked", see(sub, staff.EventDeactivated, staff.EventData{PersonID: p.ID}), "")
	})
}

func TestPrivacy(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		h.unit(t, "Adult Services", 0)
		hire := seedHire
		hire.OrganisationalUnit, hire.Phone, hire.DateOfBirth, hire.FirstName = "", "+44 20", "1990-01-02", "=cmd"
		p := must[staff.Hired](t)(h.Import(ctx, admin, "ats", hire)).Person
		self := identity.Principal{Tenant: "acme", Actor: "john.doe"}
		var b bytes.Buffer
		if err := must[staff.Dossier](t)(h.Disclose(ctx, self, p.ID)).WriteZIP(&b); err != nil {
			t.Fatal(err)
		}
		z := must[*zip.Reader](t)(zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len())))
		files := map[string]string{}
		for _, f := range z.File {
			r := must[io.ReadCloser](t)(f.Open())
			files[f.Name] = string(must[[]byte](t)(io.ReadAll(r)))
		}
		for name, text := range map[string]string{"person.json": `"date_of_birth": "1990-01-02"`, "person.csv": "first_name,'=cmd", "assignments.csv": "Adult Services", "imports.csv": "ats"} {
			if !strings.Contains(files[name], text) {
				t.Errorf("%s lacks %q: %s", name, text, files[name])
			}
		}
		for _, by := range []identity.Principal{{Tenant: "acme", Actor: "bob"}, self.For("exec")} {
			if _, err := h.Disclose(ctx, by, p.ID); !errors.Is(err, staff.ErrReadForbidden) {
				t.Errorf("Disclose to %+v: %v", by, err)
			}
		}
		key, _, _ := h.key(t, staff.NewKey{Name: "k", Scopes: staff.Scopes()})
		if _, err := h.Disclose(ctx, key, p.ID); !errors.Is(err, staff.ErrFieldForbidden) {
			t.Errorf("Disclose to a key without all groups: %v", err)
		}
		if err := h.Erase(ctx, key, p.ID); !errors.Is(err, staff.ErrReadForbidden) {
			t.Errorf("a key erases: %v", err)
		}
		if err := h.Erase(ctx, admin, p.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.Erase(ctx, admin, p.ID); !errors.Is(err, staff.ErrUnknownPerson) {
			t.Errorf("erased twice: %v", err)
		}
		want(t, "EventErased", len(h.ledger.Lines(t, "event", staff.EventErased)), 1)
		if _, err := h.Person(ctx, "acme", "john.doe"); !errors.Is(err, identity.ErrUnknownPerson) {
			t.Errorf("the directory still knows them: %v", err)
		}
		found := must[staff.Found](t)(h.Page(ctx, admin, staff.Filter{Inactive: true}, 1, 100))
		want(t, "people", found.Total, 0)
		again := must[staff.Hired](t)(h.Import(ctx, admin, "ats", hire))
		if again.Replayed || again.Person.ID == p.ID {
			t.Error("who was erased comes back by their import")
		}
	})
}

// TestPages: every way through a list shows everybody once, in the same order, with the exact total.
func TestPages(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		for i := range 7 {
			h.person(t, fmt.Sprint("F", i%3), fmt.Sprint("L", i%2))
		}
		var byPage, byCursor []int64
		for n := 1; n <= 4; n++ {
			found := must[staff.Found](t)(h.Page(ctx, admin, staff.Filter{}, n, 3))
			want(t, "total", found.Total, 7)
			for _, v := range found.Items {
				byPage = append(byPage, v.Person.ID)
			}
		}
		for p := (page.Request{Limit: 2}); ; {
			cut := must[page.Page[staff.View]](t)(h.List(ctx, admin, staff.Filter{}, p))
			for _, v := range cut.Items {
				byCursor = append(byCursor, v.Person.ID)
			}
			if p.Cursor = cut.Next; p.Cursor == "" {
				break
			}
		}
		if len(byPage) != 7 || !slices.Equal(byPage, byCursor) {
			t.Errorf("by page %v, by cursor %v", byPage, byCursor)
		}
		far := must[staff.Found](t)(h.Page(ctx, admin, staff.Filter{}, 1<<30, 100))
		want(t, "beyond the end", []any{len(far.Items), far.Total}, []any{0, 7})
	})
}
