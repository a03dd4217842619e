package staff

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// Keeper is a part that keeps something about people beside the directory, such as the names that an outside system
// knows them by. It joins the transaction in ctx.
type Keeper interface {
	// Kept returns what is kept about a person, in a form that marshals to JSON; nil: nothing.
	Kept(ctx context.Context, tenant identity.TenantID, person int64) (any, error)
	// Forget removes it for good.
	Forget(ctx context.Context, tenant identity.TenantID, person int64) error
}

// Dossier is all that is kept about one person.
type Dossier struct {
	Person      View
	Directory   map[string]any // the fields that only the other packages ask for
	Assignments []Assignment
	Imports     []Imported
	Elsewhere   map[string]any // what Config.Keepers have
}

// Disclose returns all that is kept about a person, for themselves (GDPR articles 15 and 20) or for who may read every
// field group. It is audited. It returns ErrReadForbidden, ErrFieldForbidden or ErrUnknownPerson.
func (s *Service) Disclose(ctx context.Context, by identity.Principal, id int64) (Dossier, error) {
	p, err := s.mayDisclose(ctx, by, id)
	if err != nil {
		return Dossier{}, err
	}
	d := Dossier{Person: View{by.Tenant, p, AllGroups()}, Directory: map[string]any{}}
	for _, f := range directoryFields {
		d.Directory[f.name] = f.value(&p)
	}
	if d.Assignments, err = s.cfg.Store.Assignments(ctx, by.Tenant, []int64{id}, ""); err != nil {
		return Dossier{}, err
	}
	if d.Imports, err = s.cfg.Store.ImportsOf(ctx, by.Tenant, id); err != nil {
		return Dossier{}, err
	}
	d.Elsewhere = map[string]any{}
	for name, k := range s.cfg.Keepers {
		kept, err := k.Kept(ctx, by.Tenant, id)
		if err != nil {
			return Dossier{}, err
		}
		if kept != nil {
			d.Elsewhere[name] = kept
		}
	}
	return d, s.cfg.Audit.Record(ctx, audit.By(by, ActionDisclose, KindPerson, personID(id)))
}

func (s *Service) mayDisclose(ctx context.Context, by identity.Principal, id int64) (Person, error) {
	allowed := Allow(by, ScopeRead)
	if allowed == nil && len(GroupsOf(by)) < len(AllGroups()) {
		return Person{}, ErrFieldForbidden
	}
	p, err := s.person(ctx, by.Tenant, id)
	if allowed != nil && (err != nil || by.IsProxy() || p.UserID == "" || p.UserID != by.Actor) {
		return Person{}, allowed // also for who is unknown: others do not learn who exists
	}
	return p, err
}

// WriteZIP writes the dossier as a zip file with person.json, and person.csv, assignments.csv and imports.csv.
func (d Dossier) WriteZIP(w io.Writer) error {
	z := zip.NewWriter(w)
	type imported struct {
		Source string    `json:"source_system"`
		Key    string    `json:"key"`
		At     time.Time `json:"imported_at"`
	}
	imports := []imported{}
	importRows := [][]string{{"source_system", "key", "imported_at"}}
	for _, i := range d.Imports {
		imports = append(imports, imported{i.Source, i.Key, i.CreatedAt})
		importRows = append(importRows, []string{i.Source, i.Key, i.CreatedAt.Format(time.RFC3339)})
	}
	err := addFile(z, "person.json", func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{
			"person": d.Person, "directory": d.Directory, "assignments": append([]Assignment{}, d.Assignments...), "imports": imports,
			"elsewhere": d.Elsewhere,
		})
	})
	personRows := [][]string{{"field", "value"}}
	for _, f := range fields {
		if f.value != nil && f.Name != FieldUnits {
			personRows = append(personRows, []string{f.Name, plainText(f.value(&d.Person.Person))})
		}
	}
	assignmentRows := [][]string{{"organisational_unit_id", "unit_name", "unit_code", "role_in_unit", "is_primary", "start_date", "end_date"}}
	for _, a := range d.Assignments {
		assignmentRows = append(assignmentRows, []string{
			personID(a.UnitID), a.UnitName, a.UnitCode, a.Role, fmt.Sprint(a.Primary), string(a.StartDate), string(a.EndDate),
		})
	}
	err = errors.Join(err, addCSV(z, "person.csv", personRows), addCSV(z, "assignments.csv", assignmentRows), addCSV(z, "imports.csv", importRows))
	return errors.Join(err, z.Close())
}

func addFile(z *zip.Writer, name string, write func(io.Writer) error) error {
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	return write(w)
}

func addCSV(z *zip.Writer, name string, rows [][]string) error {
	return addFile(z, name, func(w io.Writer) error {
		for _, row := range rows {
			for i, cell := range row {
				row[i] = GuardFormula(cell)
			}
		}
		return csv.NewWriter(w).WriteAll(rows)
	})
}

func plainText(value any) string {
	switch x := value.(type) {
	case nil:
		return ""
	case time.Time:
		return x.Format(time.RFC3339)
	}
	return fmt.Sprint(value)
}

// GuardFormula returns a cell of a CSV file with an apostrophe in front if a spreadsheet would take it for a formula
// (OWASP "CSV Injection").
func GuardFormula(cell string) string {
	if cell == "" {
		return cell
	}
	switch cell[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n':
		return "'" + cell
	}
	for _, wide := range []string{"＝", "＋", "－", "＠", "−"} { // the last, U+2212, becomes "－" in Shift_JIS
		if len(cell) >= len(wide) && cell[:len(wide)] == wide {
			return "'" + cell
		}
	}
	return cell
}

// erasedName stands for the name of who was erased.
const erasedName = "[erased]"

// Erase removes everything personal about somebody for good (GDPR article 17): what stays is a numbered row without a
// name, so that history and references keep their sense. The change log gets a tombstone, webhooks EventDeactivated with
// "erased", and whoever keeps copies EventErased, among them the logs of what was handed on (in the reference server: the
// outbox, the webhook log and the deliveries). The times of assignments stay, without a person to them. It is for RoleAdmin
// and RoleHR. Doing it again returns ErrUnknownPerson. It returns ErrReadForbidden too.
func (s *Service) Erase(ctx context.Context, by identity.Principal, id int64) error {
	if _, isKey := KeyOf(by); isKey {
		return ErrReadForbidden
	}
	if err := Allow(by, ScopeWrite); err != nil {
		return err
	}
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Lock(ctx, by.Tenant); err != nil {
			return err
		}
		old, err := s.person(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		now := s.now()
		p := Person{
			ID: id, Name: erasedName, LastName: erasedName, Type: old.Type, Version: old.Version + 1, CreatedAt: old.CreatedAt,
			UpdatedAt: now, ErasedAt: now, Roles: []string{}, Groups: []string{}, Channels: []string{},
		}
		if err := s.cfg.Store.Update(ctx, by.Tenant, p); err != nil {
			return err
		}
		if err := s.cfg.Store.ForgetImports(ctx, by.Tenant, id); err != nil {
			return err
		}
		for _, k := range s.cfg.Keepers {
			if err := k.Forget(ctx, by.Tenant, id); err != nil {
				return err
			}
		}
		today := s.today()
		for _, a := range old.Units {
			a.StartDate = min(a.StartDate, today)
			a.EndDate, a.Primary, a.Told = today, false, ToldRemoved
			if err := s.cfg.Store.UpdateAssignment(ctx, by.Tenant, a); err != nil {
				return err
			}
		}
		c := Change{Event: EventDeactivated, Kind: KindPerson, ID: id, Time: now, Deleted: true}
		if err := s.emit(ctx, by.Tenant, old.UserID, c); err != nil {
			return err
		}
		err = s.publish(ctx, transport.Event{
			Type: EventErased, Tenant: by.Tenant, Subject: subject(KindPerson, id), Time: now, Data: EventData{PersonID: id, UserID: old.UserID, Erased: true},
		})
		if err != nil {
			return err
		}
		return s.cfg.Audit.Record(ctx, audit.By(by, ActionErase, KindPerson, personID(id)))
	})
}
