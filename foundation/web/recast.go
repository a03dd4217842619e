package web

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

const recastKey = "renkei.recast"

// Recast returns the operation with a last word on its errors: change may edit every Problem before it is sent, whoever
// found it (handler, middleware or huma), in status, reason, detail and further members (Problem.Extensions). It is for
// routes whose error form is set elsewhere. change must be safe for concurrent use and must not alter what the Problem's
// maps and lists hold. Describe the form in Operation.Responses.
func Recast(op huma.Operation, change func(p *Problem)) huma.Operation {
	op.Metadata = maps.Clone(op.Metadata)
	if op.Metadata == nil {
		op.Metadata = map[string]any{}
	}
	op.Metadata[recastKey] = change
	op.Middlewares = append(slices.Clone(op.Middlewares), func(ctx huma.Context, next func(huma.Context)) {
		next(&recasting{inner: ctx})
	})
	return op
}

// recasting is a context whose status can still be changed while huma writes an error.
type recasting struct {
	inner
	status int // instead of huma's; 0: as huma says
}

func (c *recasting) SetStatus(code int) {
	if c.status != 0 {
		code = c.status
	}
	c.inner.SetStatus(code)
}

// Unwrap lets an adapter find its own context.
func (c *recasting) Unwrap() huma.Context { return c.inner }

// answering returns the problem as an answer of the operation of ctx.
func (p *Problem) answering(ctx huma.Context) *Problem {
	change, ok := ctx.Operation().Metadata[recastKey].(func(*Problem))
	if !ok {
		return p.in(ctx.Context())
	}
	c := *p
	change(&c)
	c.Title = http.StatusText(c.Status)
	for at := ctx; at != nil; {
		if r, ok := at.(*recasting); ok {
			r.status = c.Status
			break
		}
		u, ok := at.(interface{ Unwrap() huma.Context })
		if !ok {
			break // the operation's own middleware has not begun: whoever writes sets the status
		}
		at = u.Unwrap()
	}
	return c.in(ctx.Context())
}

// wire is what is encoded for the problem.
func (p *Problem) wire() any {
	if len(p.Extensions) == 0 {
		return p
	}
	return extended{p}
}

// extended is a Problem with further members.
type extended struct{ *Problem }

// MarshalJSON writes the members that every problem has, and behind them the others.
func (e extended) MarshalJSON() ([]byte, error) {
	common, err := json.Marshal(e.Problem)
	if err != nil {
		return nil, err
	}
	more, err := json.Marshal(e.Extensions)
	if err != nil {
		return nil, err
	}
	return append(append(common[:len(common)-1], ','), more[1:]...), nil
}
