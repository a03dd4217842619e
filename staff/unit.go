package staff

import "time"

// Unit is an organisational unit such as a team, perhaps inside another one.
type Unit struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name" validate:"required,maxrunes=200,single_line"` // unique among those with the same parent
	Code        string    `json:"code" validate:"omitempty,maxrunes=100,single_line"`
	Description string    `json:"description" validate:"omitempty,maxrunes=1000,text=multiline"`
	ParentID    int64     `json:"parent_unit_id"` // 0: none
	Version     int64     `json:"version"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// Assignment is a person's place in a unit for some time.
type Assignment struct {
	ID        int64  `json:"id"`
	PersonID  int64  `json:"person_id"`
	UnitID    int64  `json:"organisational_unit_id"`
	UnitName  string `json:"unit_name"` // as the unit has it now
	UnitCode  string `json:"unit_code"`
	Role      string `json:"role_in_unit" validate:"required,maxrunes=100,single_line"` // default "member"
	Primary   bool   `json:"is_primary"`                                                // at most one that holds today is, and one that is to come
	StartDate Date   `json:"start_date"`
	EndDate   Date   `json:"end_date"` // the last day; empty: open

	Told Told `json:"-"`
}

// Told is which of an assignment's events have been published; those of a future date wait for it.
type Told int

// The values of Told.
const (
	ToldNothing  Told = iota
	ToldAssigned      // person.unit.assigned
	ToldRemoved       // and person.unit.removed, or there is nothing to tell
)

// Ended says whether the last day is before today.
func (a Assignment) Ended(today Date) bool { return a.EndDate != "" && a.EndDate < today }

// Current says whether the assignment holds today.
func (a Assignment) Current(today Date) bool { return a.StartDate <= today && !a.Ended(today) }

// DefaultRole is the role in a unit of who has no other.
const DefaultRole = "member"
