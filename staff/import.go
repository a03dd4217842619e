package staff

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// NewHire is who a recruitment system hands over (seed 001 pattern 5).
type NewHire struct {
	ExternalID         string `json:"external_id,omitempty" validate:"omitempty,maxrunes=200,single_line"` // of the recruitment system
	FirstName          string `json:"first_name"`
	LastName           string `json:"last_name"`
	Email              string `json:"email,omitempty"`
	Phone              string `json:"phone,omitempty"`
	DateOfBirth        Date   `json:"date_of_birth,omitempty"`
	EmployeeReference  string `json:"employee_reference,omitempty"`
	JobTitle           string `json:"job_title,omitempty"`
	EmploymentStart    Date   `json:"employment_start_date,omitempty"`
	EmploymentEnd      Date   `json:"employment_end_date,omitempty"`
	OrganisationalUnit string `json:"organisational_unit,omitempty"` // by its exact name
	UnitID             int64  `json:"organisational_unit_id,omitempty"`
	Department         string `json:"department,omitempty"` // the unit around it, or the unit itself when no other is named
	Role               string `json:"role_in_unit,omitempty"`
	Primary            *bool  `json:"is_primary_unit,omitempty"` // default true
	LineManager        string `json:"line_manager_reference,omitempty"`
}

// Imported is what a source brought.
type Imported struct {
	Source, Key string // Key is the external id or the employee reference
	Hash        string // of the content
	PersonID    int64
	CreatedAt   time.Time
}

// What can be wrong with an import.
var (
	ErrSource       = fault.InvalidField("source_system", "is required")
	ErrHiredAlready = fault.New(fault.Conflict, "duplicate_import", "the source has handed over somebody else under this id") // detail existing_person_id
)

// Hired is the outcome of an import.
type Hired struct {
	View
	Replayed bool // the same was imported before; nothing was done now
}

// Import takes over a new hire: it makes the person, the assignment, and, when Config.UserIDs says so, the user account,
// and starts onboarding (EventOnboarding). A source may repeat an import, known by its external id or else its employee
// reference, and gets the same person again. It needs the scope staff:import. It returns ErrReadForbidden,
// ErrDuplicateReference, ErrHiredAlready, or a fault like check.ErrInput with locations such as "new_hire.first_name".
func (s *Service) Import(ctx context.Context, by identity.Principal, source string, h NewHire) (Hired, error) {
	if err := Allow(by, ScopeImport); err != nil {
		return Hired{}, err
	}
	if err := checkSource(source); err != nil {
		return Hired{}, err
	}
	out, err := s.importOne(ctx, by, source, h)
	return out, errors.Join(err, s.note(ctx, by.Tenant, System{Name: source, Type: SystemRecruitment, Metadata: map[string]any{"pattern": "import"}}, err))
}

func checkSource(source string) error {
	if source == "" {
		return ErrSource
	}
	if !check.IsText(source, false) || len([]rune(source)) > 100 {
		return fault.InvalidField("source_system", "must be one line of at most 100 characters")
	}
	return nil
}

func (s *Service) importOne(ctx context.Context, by identity.Principal, source string, h NewHire) (Hired, error) {
	if err := check.Struct(h); err != nil {
		return Hired{}, check.Prefix(err, "new_hire")
	}
	var out Hired
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Lock(ctx, by.Tenant); err != nil {
			return err
		}
		done, found, err := s.cfg.Store.Import(ctx, by.Tenant, source, h.key())
		if err != nil {
			return err
		}
		var p Person
		switch {
		case found && done.Hash != h.hash():
			return ErrHiredAlready.With("existing_person_id", done.PersonID)
		case found:
			p, err = s.person(ctx, by.Tenant, done.PersonID)
		default:
			p, err = s.hire(ctx, by, source, h)
		}
		out = Hired{View{by.Tenant, p, GroupsOf(by)}, found}
		return err
	})
	if f := fault.As(err); f != nil && len(f.Fields) > 0 && !strings.HasPrefix(f.Fields[0].Location, "new_hire") {
		err = check.Prefix(err, "new_hire")
	}
	return out, err
}

// key is what an import is known by, or "".
func (h NewHire) key() string {
	switch {
	case h.ExternalID != "":
		return "id:" + h.ExternalID
	case h.EmployeeReference != "":
		return "reference:" + h.EmployeeReference
	}
	return ""
}

func (h NewHire) hash() string {
	raw, _ := json.Marshal(h) // strings, numbers and a bool: cannot fail
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// hire makes the person and all that belongs to it, under the Lock.
func (s *Service) hire(ctx context.Context, by identity.Principal, source string, h NewHire) (Person, error) {
	unit, err := s.unitOf(ctx, by.Tenant, h)
	if err != nil {
		return Person{}, err
	}
	p := Person{
		Active: true, FirstName: h.FirstName, LastName: h.LastName, Email: h.Email, Phone: h.Phone, DateOfBirth: h.DateOfBirth,
		EmployeeReference: h.EmployeeReference, JobTitle: h.JobTitle, EmploymentStart: h.EmploymentStart, EmploymentEnd: h.EmploymentEnd,
	}
	if p.LineManagerID, err = s.managerOf(ctx, by.Tenant, h); err != nil {
		return Person{}, err
	}
	if p.UserID, err = s.accountOf(ctx, by.Tenant, p); err != nil {
		return Person{}, err
	}
	if p, err = s.create(ctx, by, p, ActionImport); err != nil {
		return p, err
	}
	if unit != 0 {
		n := NewAssignment{UnitID: unit, Role: h.Role, Primary: h.Primary == nil || *h.Primary}
		if h.EmploymentStart > s.today() {
			n.StartDate = h.EmploymentStart
		}
		if _, err := s.assign(ctx, by, p, n); err != nil {
			return p, err
		}
		if p, err = s.person(ctx, by.Tenant, p.ID); err != nil {
			return p, err
		}
	}
	if h.key() != "" {
		i := Imported{Source: source, Key: h.key(), Hash: h.hash(), PersonID: p.ID, CreatedAt: s.now()}
		if err := s.cfg.Store.InsertImport(ctx, by.Tenant, i); err != nil {
			return p, err
		}
	}
	data := EventData{PersonID: p.ID, UserID: p.UserID, UnitID: unit, Source: source, ExternalID: h.ExternalID, EmployeeReference: h.EmployeeReference}
	data.KeyID, _ = KeyOf(by)
	event := func(eventType string) transport.Event {
		return transport.Event{Type: eventType, Tenant: by.Tenant, Subject: subject(KindPerson, p.ID), Time: s.now(), Data: data}
	}
	return p, s.publish(ctx, event(EventOnboarding), event(EventImported))
}

// unitOf finds the unit that a hire names. An unknown one is a mistake: nobody is to start work in no team.
func (s *Service) unitOf(ctx context.Context, tenant identity.TenantID, h NewHire) (int64, error) {
	unknown := func(field string) error {
		return fault.InvalidField(field, "must be an organisational unit that exists")
	}
	if h.UnitID != 0 {
		if _, err := s.unit(ctx, tenant, h.UnitID); errors.Is(err, ErrUnknownUnit) {
			return 0, unknown("organisational_unit_id")
		} else if err != nil {
			return 0, err
		}
		return h.UnitID, nil
	}
	var around []Unit
	if h.Department != "" {
		var err error
		if around, err = s.cfg.Store.UnitsByName(ctx, tenant, h.Department); err != nil {
			return 0, err
		}
		if len(around) == 0 {
			return 0, unknown("department")
		}
	}
	if h.OrganisationalUnit == "" {
		return only(around, "department")
	}
	found, err := s.cfg.Store.UnitsByName(ctx, tenant, h.OrganisationalUnit)
	if err != nil {
		return 0, err
	}
	if len(around) > 0 {
		var inside []Unit
		for _, u := range found {
			if in, err := s.inside(ctx, tenant, u, around); err != nil {
				return 0, err
			} else if in {
				inside = append(inside, u)
			}
		}
		found = inside
	}
	if len(found) == 0 {
		return 0, unknown("organisational_unit")
	}
	return only(found, "organisational_unit")
}

func only(units []Unit, field string) (int64, error) {
	switch len(units) {
	case 0:
		return 0, nil
	case 1:
		return units[0].ID, nil
	}
	return 0, fault.InvalidField(field, "is the name of several organisational units; give organisational_unit_id")
}

// inside says whether a unit is one of the others or somewhere inside them.
func (s *Service) inside(ctx context.Context, tenant identity.TenantID, u Unit, others []Unit) (bool, error) {
	for {
		for _, o := range others {
			if o.ID == u.ID {
				return true, nil
			}
		}
		if u.ParentID == 0 {
			return false, nil
		}
		parent, err := s.unit(ctx, tenant, u.ParentID)
		if err != nil {
			return false, err
		}
		u = parent
	}
}

func (s *Service) managerOf(ctx context.Context, tenant identity.TenantID, h NewHire) (int64, error) {
	if h.LineManager == "" {
		return 0, nil
	}
	found, err := s.cfg.Store.ByReference(ctx, tenant, []string{h.LineManager})
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, fault.InvalidField("line_manager_reference", "must be the employee reference of somebody")
	}
	return found[0].ID, nil
}

// accountOf gives a user id that nobody has, or none; none either to whoever has the address of somebody with an account,
// who signs in by it and must stay the only one.
func (s *Service) accountOf(ctx context.Context, tenant identity.TenantID, p Person) (string, error) {
	if s.cfg.UserIDs == nil {
		return "", nil
	}
	id := s.cfg.UserIDs(tenant, p)
	if id == "" {
		return "", nil
	}
	found, err := s.cfg.Store.ByUserID(ctx, tenant, []string{id})
	if err != nil || len(found) > 0 {
		return "", err
	}
	same, err := s.ByEmail(ctx, tenant, []string{p.Email})
	if err != nil || len(same) > 0 {
		return "", err
	}
	return id, nil
}

// Row is what became of a row of a bulk import.
type Row struct {
	Number   int    // from 1
	Status   string // RowCreated, RowReplayed or RowRefused
	PersonID int64  // 0 for a dry run's new people
	Err      error  // why it was refused
}

// The states of a Row.
const (
	RowCreated  = "created"
	RowReplayed = "replayed"
	RowRefused  = "refused"
)

// MostRows is how many hires a bulk import may have.
const MostRows = 5000

// errDry undoes a dry run.
var errDry = errors.New("staff: dry run")

// ImportAll imports hires one by one, each for itself, and says what became of each. With dryRun nothing is done, and
// the answer is what would become of them together. It returns ErrReadForbidden or a fault like check.ErrInput.
func (s *Service) ImportAll(ctx context.Context, by identity.Principal, source string, hires []NewHire, dryRun bool) ([]Row, error) {
	if err := Allow(by, ScopeImport); err != nil {
		return nil, err
	}
	if err := checkSource(source); err != nil {
		return nil, err
	}
	if len(hires) > MostRows {
		return nil, fault.InvalidField("new_hires", "must have at most 5000 items")
	}
	var rows []Row
	fresh := map[int64]bool{} // who is made by a dry run, and never was
	all := func(ctx context.Context) error {
		rows, fresh = nil, map[int64]bool{}
		for i, h := range hires {
			row := Row{Number: i + 1, Status: RowRefused}
			out, err := s.importOne(ctx, by, source, h)
			switch code := fault.CodeOf(err); {
			case code == fault.Internal || code == fault.Unavailable:
				return err
			case err != nil:
				row.Err = err
			case out.Replayed:
				row.Status, row.PersonID = RowReplayed, out.Person.ID
			default:
				row.Status, row.PersonID = RowCreated, out.Person.ID
			}
			if dryRun && row.Status == RowCreated {
				fresh[row.PersonID] = true
			}
			if fresh[row.PersonID] {
				row.PersonID = 0
			}
			if f := fault.As(row.Err); f != nil && dryRun {
				if id, ok := f.Details["existing_person_id"].(int64); ok && fresh[id] {
					row.Err = fault.New(f.Code, f.Reason, f.Message)
				}
			}
			rows = append(rows, row)
		}
		return nil
	}
	if dryRun {
		err := s.cfg.Store.Do(ctx, func(ctx context.Context) error { return errors.Join(all(ctx), errDry) })
		if err != nil && len(rows) < len(hires) {
			return nil, err
		}
		return rows, nil
	}
	err := all(ctx)
	return rows, errors.Join(err, s.note(ctx, by.Tenant, System{Name: source, Type: SystemRecruitment, Metadata: map[string]any{"pattern": "bulk import", "records": len(rows)}}, err))
}

// Imported returns the person whom a source has handed over under an external id, if it has. It is for who was not told
// how an Import ended. It needs the scope staff:import and returns ErrReadForbidden without. Who was erased since is not
// found.
func (s *Service) Imported(ctx context.Context, by identity.Principal, source, externalID string) (View, bool, error) {
	if err := Allow(by, ScopeImport); err != nil {
		return View{}, false, err
	}
	done, found, err := s.cfg.Store.Import(ctx, by.Tenant, source, NewHire{ExternalID: externalID}.key())
	if err != nil || !found {
		return View{}, false, err
	}
	p, err := s.person(ctx, by.Tenant, done.PersonID)
	if errors.Is(err, ErrUnknownPerson) {
		return View{}, false, nil
	}
	return View{by.Tenant, p, GroupsOf(by)}, err == nil, err
}
