package web

import (
	"encoding/json"

	"github.com/renkei-go/renkei/foundation/page"
)

// PageParams are the query parameters of a list; embed it in an operation's input.
type PageParams struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many items at most."`
	Cursor string `query:"cursor" maxLength:"2048" doc:"next_cursor of the page before."`
}

// Page returns which page is wanted.
func (p PageParams) Page() page.Request { return page.Request{Limit: p.Limit, Cursor: p.Cursor} }

// List is the body of a list. Items is never null on the wire; NextCursor is absent at the end.
type List[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// MarshalJSON writes no items as [].
func (l List[T]) MarshalJSON() ([]byte, error) {
	type plain List[T]
	if l.Items == nil {
		l.Items = []T{}
	}
	return json.Marshal(plain(l))
}

// ListOf turns a page of the domain into a list of what goes over the wire.
func ListOf[V, T any](p page.Page[V], view func(V) T) List[T] {
	l := List[T]{Items: make([]T, len(p.Items)), NextCursor: p.Next}
	for i, item := range p.Items {
		l.Items[i] = view(item)
	}
	return l
}
