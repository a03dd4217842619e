package scim

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/staff"
)

// user is a person with what clients said of them.
type user struct {
	person staff.Person
	link   Link
}

// hidden says whether a client has deleted the person, who is not back since.
func (u user) hidden() bool { return !u.link.DeletedAt.IsZero() && !u.person.Active }

// name is the userName.
func (u user) name() string {
	switch {
	case u.link.UserName != "":
		return u.link.UserName
	case u.person.UserID != "":
		return u.person.UserID
	}
	return namePrefix + strconv.FormatInt(u.person.ID, 10)
}

// namePrefix begins the userName of who has no other.
const namePrefix = "person-"

func (u user) version() string { return version(u.person.Version, u.link.Version) }

// tree is the user as c sees them.
func (s *Server) userTree(c caller, u user) map[string]any {
	p := u.person
	id := strconv.FormatInt(p.ID, 10)
	tree := map[string]any{
		"id": id, "userName": u.name(), "displayName": p.Name, "active": p.Active, "userType": p.Type,
		"name": map[string]any{"formatted": p.Name, "familyName": p.LastName, "givenName": p.FirstName},
		"meta": s.meta(User, id, p.CreatedAt, latest(p.UpdatedAt, u.link.UpdatedAt), u.version()),
	}
	give(tree, "externalId", u.link.ExternalID)
	if c.groups.Has(staff.Contact) {
		giveOne(tree, "emails", p.Email)
		giveOne(tree, "phoneNumbers", p.Phone)
	}
	more := map[string]any{}
	if c.groups.Has(staff.Payroll) {
		give(more, "costCenter", p.CostCentre)
	}
	if c.groups.Has(staff.Work) {
		s.workTree(tree, more, p)
	}
	schemas := []any{SchemaUser}
	if len(more) > 0 {
		tree[SchemaEnterprise] = more
		schemas = append(schemas, SchemaEnterprise)
	}
	tree["schemas"] = schemas
	return tree
}

func (s *Server) workTree(tree, more map[string]any, p staff.Person) {
	give(tree, "title", p.JobTitle)
	give(more, "employeeNumber", p.EmployeeReference)
	if p.LineManagerID != 0 {
		manager := strconv.FormatInt(p.LineManagerID, 10)
		more["manager"] = map[string]any{"value": manager, "$ref": s.cfg.URL + "/Users/" + manager}
	}
	var groups []any
	for i, a := range p.Units {
		if i == 0 {
			give(more, "department", a.UnitName)
		}
		unit := strconv.FormatInt(a.UnitID, 10)
		groups = append(groups, map[string]any{"value": unit, "$ref": s.cfg.URL + "/Groups/" + unit, "display": a.UnitName, "type": "direct"})
	}
	if len(groups) > 0 {
		tree["groups"] = groups
	}
}

func (s *Server) meta(kind Kind, id string, created, modified time.Time, tag string) map[string]any {
	return map[string]any{
		"resourceType": string(kind), "created": created.UTC().Format(time.RFC3339Nano), "lastModified": modified.UTC().Format(time.RFC3339Nano),
		"location": s.cfg.URL + "/" + string(kind) + "s/" + id, "version": tag,
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func give(tree map[string]any, name, value string) {
	if value != "" {
		tree[name] = value
	}
}

func giveOne(tree map[string]any, name, value string) {
	if value != "" {
		tree[name] = []any{map[string]any{"value": value, "type": "work", "primary": true}}
	}
}

// wanted is what a tree says of a person and a link.
type wanted struct {
	userName, externalID     string
	first, last              string
	email, phone             string
	title, reference, centre string
	formatted, display       string
	active, activeGiven      bool
	manager                  int64
}

// want reads a tree. It returns ErrValue for a manager who is none.
func want(tree map[string]any) (wanted, error) {
	w := wanted{
		userName: text(tree, "userName"), externalID: text(tree, "externalId"), first: text(tree, "name", "givenName"), last: text(tree, "name", "familyName"),
		formatted: text(tree, "name", "formatted"), display: text(tree, "displayName"), email: main(tree, "emails"), phone: main(tree, "phoneNumbers"),
		title: text(tree, "title"), reference: text(tree, SchemaEnterprise, "employeeNumber"), centre: text(tree, SchemaEnterprise, "costCenter"),
	}
	w.active, w.activeGiven = tree["active"].(bool)
	if manager := text(tree, SchemaEnterprise, "manager", "value"); manager != "" {
		if w.manager = item(manager); w.manager == 0 {
			return w, errManager
		}
	}
	return w, nil
}

var errManager = ErrValue.WithMessage("manager.value must be the id of a user")

// edit is what changes a person from one tree to another: fields that are the same in both stay as they are, whatever they
// are by now.
func edit(from, to wanted) staff.Edit {
	var e staff.Edit
	differ := func(field **string, a, b string) {
		if a != b {
			*field = &b
		}
	}
	differ(&e.FirstName, from.first, to.first)
	differ(&e.LastName, from.last, to.last)
	differ(&e.Email, from.email, to.email)
	differ(&e.Phone, from.phone, to.phone)
	differ(&e.JobTitle, from.title, to.title)
	differ(&e.EmployeeReference, from.reference, to.reference)
	differ(&e.CostCentre, from.centre, to.centre)
	differ(&e.Name, from.formatted, to.formatted)
	if from.display != to.display {
		e.Name = &to.display
	}
	if to.activeGiven && from.active != to.active {
		e.Active = &to.active
	}
	if from.manager != to.manager {
		e.LineManagerID = &to.manager
	}
	return e
}

// checkNames checks what staff has no field for.
func checkNames(userName, externalID string) error {
	switch {
	case userName == "":
		return ErrValue.WithMessage("userName is required")
	case !oneLine(userName):
		return ErrValue.WithMessage("userName must be one line of at most 255 characters")
	case !oneLine(externalID):
		return ErrValue.WithMessage("externalId must be one line of at most 255 characters")
	}
	return nil
}

// errTaken is returned for a userName or externalId of somebody else.
func errTaken(name string) *fault.Error {
	return ErrUniqueness.WithMessage(name + " is another resource's")
}

// oneLine says whether a name can be kept.
func oneLine(s string) bool { return check.IsText(s, false) && utf8.RuneCountInString(s) <= 255 }

// settled makes one name of the two that clients give, displayName and name.formatted, for a body that says everything.
func (w wanted) settled(from wanted) wanted {
	if w.display == "" {
		w.display = w.formatted
	}
	w.formatted = from.formatted
	return w
}

// nameParts are the first and the last name, of the whole name if they are not given.
func nameParts(w wanted) (first, last string) {
	whole := strings.Fields(w.display)
	if w.first != "" || w.last != "" || len(whole) < 2 {
		return w.first, w.last
	}
	return strings.Join(whole[:len(whole)-1], " "), whole[len(whole)-1]
}
