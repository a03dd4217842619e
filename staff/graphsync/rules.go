package graphsync

import (
	"errors"
	"slices"
	"time"
)

// Deprovision is what becomes of the account of who has left.
type Deprovision string

// The ways to deprovision. Accounts of people who left before a link was made are disabled too.
const (
	DeprovisionNone    Deprovision = "none"    // nothing
	DeprovisionDisable Deprovision = "disable" // it is disabled and its sessions end; the default
	DeprovisionLeave   Deprovision = "leave"   // and it leaves the groups of units
	DeprovisionDelete  Deprovision = "delete"  // and it is deleted after Rules.DeleteAfter
)

// Owner is whose value of a field counts when staff and Entra differ.
type Owner string

// The owners.
const (
	OwnerStaff Owner = "staff"
	OwnerEntra Owner = "entra"
)

// Owners says who owns the fields of organisational units. The default of each is OwnerStaff.
type Owners struct {
	Name        Owner
	Description Owner
	// Members owned by Entra: who is put into a group there is assigned to the unit, and who is taken out after having
	// been seen in it is unassigned; whoever staff assigns still comes into the group. Of the accounts in a group only
	// those of people in staff count, whoever owns it.
	Members Owner
}

// Rules says how Entra follows staff.
type Rules struct {
	Deprovision Deprovision   // default DeprovisionDisable
	DeleteAfter time.Duration // for DeprovisionDelete, after the account was disabled; default 30 days
	Protected   []string      // ids or user principal names of accounts that are never touched
	Owners      Owners
	Limits      Limits
	// UniqueName prefixes the uniqueName of groups, before the unit's ID. Default "renkei-unit-".
	UniqueName string
}

// Validate returns everything that is wrong with the rules, joined.
func (r Rules) Validate() error {
	var errs []error
	if !slices.Contains([]Deprovision{"", DeprovisionNone, DeprovisionDisable, DeprovisionLeave, DeprovisionDelete}, r.Deprovision) {
		errs = append(errs, errors.New("graphsync: Deprovision is none, disable, leave or delete"))
	}
	for _, o := range []Owner{r.Owners.Name, r.Owners.Description, r.Owners.Members} {
		if o != "" && o != OwnerStaff && o != OwnerEntra {
			errs = append(errs, errors.New("graphsync: Owners are staff or entra"))
		}
	}
	if r.DeleteAfter < 0 {
		errs = append(errs, errors.New("graphsync: DeleteAfter cannot be negative"))
	}
	return errors.Join(append(errs, r.Limits.validate())...)
}

func (r Rules) withDefaults() Rules {
	if r.Deprovision == "" {
		r.Deprovision = DeprovisionDisable
	}
	if r.DeleteAfter == 0 {
		r.DeleteAfter = 30 * 24 * time.Hour
	}
	for _, o := range []*Owner{&r.Owners.Name, &r.Owners.Description, &r.Owners.Members} {
		if *o == "" {
			*o = OwnerStaff
		}
	}
	if r.UniqueName == "" {
		r.UniqueName = "renkei-unit-"
	}
	r.Limits = r.Limits.withDefaults()
	return r
}

// leaves says whether who has left leaves the groups.
func (r Rules) leaves() bool {
	return r.Deprovision == DeprovisionLeave || r.Deprovision == DeprovisionDelete
}
