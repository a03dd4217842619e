package approval

import (
	"slices"
	"strings"
	"time"
)

// Moment is one line of a request's history.
type Moment struct {
	At time.Time `json:"at"`
	// Kind is requested, routed (a step opened), agreed (a word that did not end the request), replaced (an approver), revised
	// (what is shown), reminded, reminder_superseded, approved, rejected, timed_out or withdrawn.
	Kind    string `json:"kind"`
	By      string `json:"by"`
	For     string `json:"for,omitempty"`      // the approver in whose place By decided
	ActedBy string `json:"acted_by,omitempty"` // who did it in By's name
	Step    int    `json:"step,omitempty"`     // from 1; absent with a single step
	Detail  string `json:"detail,omitempty"`
}

// machineRouter is who routes.
const machineRouter = "system:approval"

// Timeline tells the request's history, oldest first. It is derived from the request, so it cannot disagree with it.
func (r Request) Timeline() []Moment {
	submitter := r.Requester
	if r.ActedBy != "" {
		submitter = r.ActedBy
	}
	line := []Moment{{At: r.CreatedAt, Kind: "requested", By: submitter, Detail: strings.Join(r.Explanation, "; ")}}
	for i := range r.Steps {
		line = append(line, r.stepMoments(i)...)
	}
	for i, s := range r.Shown {
		if i > 0 {
			line = append(line, Moment{At: s.At, Kind: "revised", By: s.By, Detail: strings.Join(changed(r.Shown[i-1], s), ", ")})
		}
	}
	if !r.RemindedAt.IsZero() {
		line = append(line, Moment{At: r.RemindedAt, Kind: "reminded", By: "system:reminder"})
	}
	slices.SortStableFunc(line, func(a, b Moment) int { return a.At.Compare(b.At) })
	if o := r.Outcome; o != nil {
		if r.Status == TimedOut && r.RemindedAt.IsZero() {
			line = append(line, Moment{At: o.At, Kind: "reminder_superseded", By: o.By})
		}
		end := Moment{At: o.At, Kind: string(r.Status), By: o.By, Detail: o.Reason}
		if d, i := r.deciding(); d != nil {
			end = r.wordMoment(i, *d)
			end.Kind = string(r.Status)
		}
		line = append(line, end)
	}
	return line
}

// deciding returns the decision that ended the request and the place of its step; nil when it ended otherwise.
func (r Request) deciding() (*StepDecision, int) {
	d, i := r.last()
	if d == nil || r.Outcome == nil || r.Status != Approved && r.Status != Rejected {
		return nil, -1
	}
	return d, i
}

// stepMoments is the history of one step, without the decision that ended the request.
func (r Request) stepMoments(i int) []Moment {
	s := r.Steps[i]
	if s.OpenedAt.IsZero() {
		return nil
	}
	line := []Moment{{At: s.OpenedAt, Kind: "routed", By: machineRouter, Step: r.number(i), Detail: strings.Join(s.Why, "; ")}}
	ended, at := r.deciding()
	for n, d := range s.Decisions {
		if ended != nil && at == i && n == len(s.Decisions)-1 {
			break
		}
		line = append(line, r.wordMoment(i, d))
	}
	for _, m := range s.Changes {
		m.Step = r.number(i)
		line = append(line, m)
	}
	return line
}

func (r Request) wordMoment(i int, d StepDecision) Moment {
	m := Moment{At: d.At, Kind: "agreed", By: d.By, ActedBy: d.ActedBy, Step: r.number(i), Detail: d.Reason}
	if d.For != d.By {
		m.For = d.For
	}
	return m
}

// number is the step's place for people; 0 when there is only one.
func (r Request) number(i int) int {
	if len(r.Steps) < 2 {
		return 0
	}
	return i + 1
}
