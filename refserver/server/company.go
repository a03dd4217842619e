package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
)

// demoDomain is the mail domain of the demo company.
const demoDomain = "example.com"

// company returns the people of the demo company, with addresses in domain: manager leads alice, bob and secretary;
// exec, an Executive without a manager, leads manager and hr; admin, mgmt and hr hold the roles of their names, and
// mgmt is the group that decides where there is no manager.
func company(domain string) []staff.Person {
	n := 0
	person := func(user, first, last, title, manager, locale string, roles ...string) staff.Person {
		n++
		name := first + " " + last
		if locale == "ja" {
			name = last + " " + first
		}
		return staff.Person{
			UserID: user, Name: name, FirstName: first, LastName: last, Email: user + "@" + domain, ManagerID: manager, Roles: roles,
			TimeZone: "Asia/Tokyo", Locale: locale, Active: true, JobTitle: title, EmployeeReference: fmt.Sprintf("DEMO-%02d", n),
			EmploymentStart: "2024-04-01", CostCentre: fmt.Sprintf("CC-%d", 100+n%3), SalaryGrade: fmt.Sprintf("G%d", 3+n%5),
		}
	}
	mgmt := person("mgmt", "美咲", "中村", "Operations Manager", "", "ja", "mgmt")
	mgmt.Groups = []string{"mgmt"}
	return []staff.Person{
		person("admin", "Daniel", "Harris", "IT Administrator", "", "en", "admin"),
		mgmt,
		person("exec", "健一", "藤原", "Chief Executive", "", "ja", "Executive"),
		person("manager", "直子", "山本", "Team Manager", "exec", "ja"),
		person("secretary", "由美", "小林", "Secretary", "manager", "ja"),
		person("alice", "Alice", "Sato", "Support Worker", "manager", "en"),
		person("bob", "Bob", "Tanaka", "Support Worker", "manager", "en"),
		person("hr", "Hannah", "Reed", "HR Officer", "exec", "en", "hr"),
	}
}

// careTeam are the people of Care Team A; the others work in the Head Office.
var careTeam = map[string]bool{"manager": true, "alice": true, "bob": true}

// seedPeople makes the units and people that are not there; what is there may have been changed since and is left alone.
func (p *parts) seedPeople(ctx context.Context, by identity.Principal, people []staff.Person) error {
	return p.staff.InTurn(ctx, by.Tenant, func(ctx context.Context) error {
		units, err := p.seedUnits(ctx, by)
		if err != nil {
			return err
		}
		for _, person := range people {
			if _, err := p.staff.Person(ctx, by.Tenant, person.UserID); !errors.Is(err, identity.ErrUnknownPerson) {
				if err != nil {
					return err
				}
				continue
			}
			stored, err := p.staff.Upsert(ctx, by, person)
			if err != nil {
				return err
			}
			unit := units["Head Office"]
			if careTeam[person.UserID] {
				unit = units["Care Team A"]
			}
			if _, err := p.staff.Assign(ctx, by, stored[0].ID, staff.NewAssignment{UnitID: unit, StartDate: "2024-04-01"}); err != nil {
				return err
			}
		}
		return nil
	})
}

// seedUnits returns the ids of the demo company's units by name.
func (p *parts) seedUnits(ctx context.Context, by identity.Principal) (map[string]int64, error) {
	ids := map[string]int64{}
	cut, err := p.staff.Units(ctx, by, page.Request{Limit: page.MaxLimit})
	if err != nil {
		return nil, err
	}
	for _, u := range cut.Items {
		ids[u.Name] = u.ID
	}
	for _, u := range []struct{ name, code, parent string }{
		{"Head Office", "HO", ""}, {"Adult Services", "AS", ""}, {"Care Team A", "CTA", "Adult Services"},
	} {
		if ids[u.name] != 0 {
			continue
		}
		parent := ids[u.parent]
		made, err := p.staff.CreateUnit(ctx, by, staff.UnitEdit{Name: &u.name, Code: &u.code, ParentID: &parent})
		if err != nil {
			return nil, err
		}
		ids[u.name] = made.ID
	}
	return ids, nil
}
