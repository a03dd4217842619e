package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// employee is a person in the terms of this system (seed 001 "Data Mapped").
type employee struct {
	Number   string `json:"employee_number"`
	Name     string `json:"full_name"`
	Start    string `json:"start_date,omitempty"`
	End      string `json:"end_date,omitempty"`
	Position string `json:"position,omitempty"`
	Manager  int64  `json:"manager,omitempty"`
	Grade    string `json:"salary_grade,omitempty"`
	Left     bool   `json:"left,omitempty"`
}

// copied is what this system keeps: the employees by their ids in staff, and how far it has read.
type copied struct {
	Cursor    string             `json:"cursor"`
	Employees map[int64]employee `json:"employees"`
}

func (c *copied) put(p person) {
	c.Employees[p.ID] = employee{p.Reference, p.Name, p.Start, p.End, p.Title, p.Manager, p.Grade, !p.Active}
}

// puller keeps a file in step with staff.
type puller struct {
	staff *client
	file  string
}

// pull brings the file up to date and says what it did. The employees and the cursor are written together, at the end: a
// pull that is cut short has not happened.
func (p puller) pull(ctx context.Context) (string, error) {
	have, err := p.load()
	if err != nil {
		return "", err
	}
	if have.Cursor == "" {
		return p.all(ctx)
	}
	n := 0
	have.Cursor, err = p.staff.changes(ctx, have.Cursor, func(c change) {
		switch {
		case c.Kind != "person":
		case c.Deleted || c.Data == nil:
			delete(have.Employees, c.ID)
			n++
		default:
			have.put(*c.Data)
			n++
		}
	})
	if errors.Is(err, errExpired) {
		return p.all(ctx)
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d changes, %d employees", n, len(have.Employees)), p.save(have)
}

// all reads everybody. The cursor is taken first: what changes meanwhile is read again by the next pull, and not lost.
func (p puller) all(ctx context.Context) (string, error) {
	fresh := copied{Employees: map[int64]employee{}}
	var err error
	if fresh.Cursor, err = p.staff.changes(ctx, "now", func(change) {}); err != nil {
		return "", err
	}
	if err := p.staff.everybody(ctx, fresh.put); err != nil {
		return "", err
	}
	return fmt.Sprintf("everybody, %d employees", len(fresh.Employees)), p.save(fresh)
}

func (p puller) load() (copied, error) {
	have := copied{Employees: map[int64]employee{}}
	raw, err := os.ReadFile(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return have, nil
	}
	if err != nil {
		return have, err
	}
	err = json.Unmarshal(raw, &have)
	return have, err
}

// save puts a whole new file in the place of the old one.
func (p puller) save(c copied) error {
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(p.file), ".hr-pull-*") // readable by its owner alone
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(raw, '\n'))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), p.file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
