package scim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
)

// mediaType is what answers have (RFC 7644 section 3.1).
const mediaType = "application/scim+json"

// answer is what a request gets.
type answer struct {
	status int
	body   map[string]any // nil: none
	meta   map[string]any // of the resource that it is about
}

// about is an answer with a resource, as far as it is to be seen.
func about(status int, tree map[string]any, p projection) answer {
	meta, _ := tree["meta"].(map[string]any)
	return answer{status, p.of(tree), meta}
}

// request is one that has been admitted.
type request struct {
	*http.Request
	caller
	path  []string // below Root
	query url.Values
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := s.answer(w, r)
	if err != nil {
		out = answer{}
		out.status, out.body = answerError(err)
		if out.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		if out.status >= http.StatusInternalServerError && out.status != http.StatusNotImplemented {
			s.cfg.Logger.ErrorContext(r.Context(), "scim request", "request_id", identity.RequestID(r.Context()), "path", r.URL.Path, "error", err)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	if out.meta != nil {
		if tag := text(out.meta, "version"); tag != "" {
			w.Header().Set("ETag", tag)
		}
		location := text(out.meta, "location")
		w.Header().Set("Content-Location", location)
		if out.status == http.StatusCreated {
			w.Header().Set("Location", location)
		}
	}
	if out.body == nil || out.status == http.StatusNotModified {
		w.WriteHeader(out.status)
		return
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(out.body) // texts, numbers and booleans: cannot fail
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(out.status)
	_, _ = w.Write(b.Bytes())
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) (answer, error) {
	by, err := s.cfg.Authenticate(r.Context(), web.FromHTTP(r))
	if err == nil && (by.Tenant == "" || by.Actor == "") {
		err = web.ErrUnauthenticated
	}
	if limited := s.cfg.Limiter.Admit(w, r, by); limited != nil {
		return answer{}, limited
	}
	if err != nil {
		return answer{}, err
	}
	c, err := s.caller(by)
	if err != nil {
		return answer{}, err
	}
	rest, ok := strings.CutPrefix(r.URL.Path, Root)
	if !ok {
		return answer{}, web.ErrRouteNotFound
	}
	q := request{Request: r, caller: c, path: strings.Split(strings.Trim(rest, "/"), "/")}
	if q.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return answer{}, ErrSyntax.WithMessage("the query must be form-encoded")
	}
	out, err := s.route(q)
	if stopped := s.cfg.Staff.Stopped(r.Context(), by, err); stopped != nil {
		s.cfg.Logger.ErrorContext(r.Context(), "it is not noted that a key was stopped", "request_id", identity.RequestID(r.Context()), "error", stopped)
	}
	if noted := s.cfg.Staff.Pulled(r.Context(), by, "scim", -1, err); noted != nil { // no reason to refuse what was done
		s.cfg.Logger.ErrorContext(r.Context(), "the synchronisation is not noted", "request_id", identity.RequestID(r.Context()), "error", noted)
	}
	return out, err
}

// route finds what a request is for.
func (s *Server) route(q request) (answer, error) {
	id, what := "", q.path[0]
	switch len(q.path) {
	case 1:
	case 2:
		id = q.path[1]
	default:
		return answer{}, web.ErrRouteNotFound
	}
	switch what {
	case "Users":
		return s.resources(q, s.usersOf(q), id)
	case "Groups":
		if !q.groups.Has(staff.Work) {
			return answer{}, errHidden
		}
		return s.resources(q, s.groupsFor(q), id)
	case "ServiceProviderConfig", "ResourceTypes", "Schemas":
		return s.discover(q, what, id)
	case "Me", "Bulk", ".search":
		return answer{}, ErrNotHere
	}
	return answer{}, web.ErrRouteNotFound
}

// errNoFilter is returned for a filter of what is the same for all (RFC 7644 section 4).
var errNoFilter = fault.New(fault.Forbidden, "filter_forbidden", "this cannot be filtered")

func (s *Server) discover(q request, what, id string) (answer, error) {
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		return answer{}, web.ErrMethodNotAllowed
	}
	if q.query.Has("filter") { // RFC 7644 section 4
		return answer{}, errNoFilter
	}
	var all []map[string]any
	switch what {
	case "ResourceTypes":
		all = s.resourceTypes(q.caller)
	case "Schemas":
		all = s.schemaList(q.caller)
	default:
		if id != "" {
			return answer{}, web.ErrRouteNotFound
		}
		return about(http.StatusOK, s.serviceProviderConfig(), projection{}), nil
	}
	if id != "" {
		one, err := byID(all, id)
		return about(http.StatusOK, one, projection{}), err
	}
	return answer{status: http.StatusOK, body: listAnswer(all, int64(len(all)), 1)}, nil
}

func listAnswer(items []map[string]any, total int64, start int) map[string]any {
	return map[string]any{
		"schemas": []string{SchemaList}, "totalResults": total, "startIndex": start, "itemsPerPage": len(items),
		"Resources": append([]map[string]any{}, items...),
	}
}

// operations are what can be done with a kind of resource.
type operations struct {
	resource resource
	list     func(ctx context.Context, f *filter, p projection, offset, limit int) ([]map[string]any, int64, error)
	get      func(ctx context.Context, id string, p projection) (map[string]any, error)
	create   func(ctx context.Context, body map[string]any) (map[string]any, error)
	replace  func(ctx context.Context, id, ifMatch string, body map[string]any) (map[string]any, error)
	patch    func(ctx context.Context, id, ifMatch string, ops []operation) (map[string]any, error)
	delete   func(ctx context.Context, id, ifMatch string) error
}

func (s *Server) usersOf(q request) operations {
	c := q.caller
	return operations{
		resource: c.users,
		list: func(ctx context.Context, f *filter, _ projection, offset, limit int) ([]map[string]any, int64, error) {
			return s.listUsers(ctx, c, f, offset, limit)
		},
		get: func(ctx context.Context, id string, _ projection) (map[string]any, error) {
			return s.getUser(ctx, c, id)
		},
		create: func(ctx context.Context, body map[string]any) (map[string]any, error) {
			return s.createUser(ctx, c, body)
		},
		replace: func(ctx context.Context, id, ifMatch string, body map[string]any) (map[string]any, error) {
			return s.replaceUser(ctx, c, id, ifMatch, body)
		},
		patch: func(ctx context.Context, id, ifMatch string, ops []operation) (map[string]any, error) {
			return s.patchUser(ctx, c, id, ifMatch, ops)
		},
		delete: func(ctx context.Context, id, ifMatch string) error { return s.deleteUser(ctx, c, id, ifMatch) },
	}
}

func (s *Server) groupsFor(q request) operations {
	c := q.caller
	return operations{
		resource: c.units,
		list: func(ctx context.Context, f *filter, p projection, offset, limit int) ([]map[string]any, int64, error) {
			return s.listGroups(ctx, c, f, p.asksFor("members"), offset, limit)
		},
		get: func(ctx context.Context, id string, p projection) (map[string]any, error) {
			return s.getGroup(ctx, c, id, p.asksFor("members"))
		},
		create: func(ctx context.Context, body map[string]any) (map[string]any, error) {
			return s.createGroup(ctx, c, body)
		},
		replace: func(ctx context.Context, id, ifMatch string, body map[string]any) (map[string]any, error) {
			return s.replaceGroup(ctx, c, id, ifMatch, body)
		},
		patch: func(ctx context.Context, id, ifMatch string, ops []operation) (map[string]any, error) {
			return s.patchGroup(ctx, c, id, ifMatch, ops)
		},
		delete: func(ctx context.Context, id, ifMatch string) error { return s.deleteGroup(ctx, c, id, ifMatch) },
	}
}

func (s *Server) resources(q request, o operations, id string) (answer, error) {
	ctx := q.Context()
	p := o.resource.projectionOf(q.query.Get("attributes"), q.query.Get("excludedAttributes"))
	switch {
	case id == ".search":
		if q.Method != http.MethodPost {
			return answer{}, web.ErrMethodNotAllowed
		}
		return s.search(q, o)
	case id == "" && (q.Method == http.MethodGet || q.Method == http.MethodHead):
		return s.query(ctx, o, q.query)
	case id == "" && q.Method == http.MethodPost:
		body, err := object(q.Request)
		if err != nil {
			return answer{}, err
		}
		tree, err := o.create(ctx, body)
		return about(http.StatusCreated, tree, p), err
	case id == "":
		return answer{}, web.ErrMethodNotAllowed
	}
	ifMatch := q.Header.Get("If-Match")
	var tree map[string]any
	var err error
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		tree, err = o.get(ctx, id, p)
		if meta, ok := tree["meta"].(map[string]any); ok && err == nil {
			if header := q.Header.Get("If-None-Match"); header != "" && names(header, text(meta, "version")) {
				return about(http.StatusNotModified, tree, p), nil
			}
		}
	case http.MethodPut:
		var body map[string]any
		if body, err = object(q.Request); err == nil {
			tree, err = o.replace(ctx, id, ifMatch, body)
		}
	case http.MethodPatch:
		var ops []operation
		if ops, err = patchOf(q.Request); err == nil {
			tree, err = o.patch(ctx, id, ifMatch, ops)
		}
	case http.MethodDelete:
		return answer{status: http.StatusNoContent}, o.delete(ctx, id, ifMatch)
	default:
		err = web.ErrMethodNotAllowed
	}
	if err != nil {
		return answer{}, err
	}
	return about(http.StatusOK, tree, p), nil
}

// query is a search by the parameters of an address (RFC 7644 section 3.4.2).
func (s *Server) query(ctx context.Context, o operations, q url.Values) (answer, error) {
	const standard = 100
	start, err := number(q, "startIndex", 1, 1, 1<<40)
	if err != nil {
		return answer{}, err
	}
	count, err := number(q, "count", standard, 0, mostItems)
	if err != nil {
		return answer{}, err
	}
	var f *filter
	if q.Has("filter") {
		if f, err = parseFilter(q.Get("filter")); err != nil {
			return answer{}, err
		}
		if err := f.bind(o.resource.resolve); err != nil {
			return answer{}, err
		}
	}
	p := o.resource.projectionOf(q.Get("attributes"), q.Get("excludedAttributes"))
	items, total, err := o.list(ctx, f, p, start-1, count)
	if err != nil {
		return answer{}, err
	}
	for i := range items {
		items[i] = p.of(items[i])
	}
	return answer{status: http.StatusOK, body: listAnswer(items, total, start)}, nil
}

// number reads a parameter; what is out of range becomes the nearest that is in it (RFC 7644 table 6).
func number(q url.Values, name string, standard, least, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, ErrValue.WithMessage(name + " must be a number")
	}
	return min(max(n, least), most), nil
}

// search is a search by a body (RFC 7644 section 3.4.3).
func (s *Server) search(q request, o operations) (answer, error) {
	body, err := object(q.Request)
	if err != nil {
		return answer{}, err
	}
	if !hasSchema(body, SchemaSearch) {
		return answer{}, ErrSyntax.WithMessage("schemas must name " + SchemaSearch)
	}
	values := url.Values{}
	for name, v := range body {
		switch v := v.(type) {
		case string:
			values.Set(name, v)
		case float64:
			values.Set(name, strconv.FormatFloat(v, 'f', -1, 64))
		case []any:
			for _, one := range v {
				if text, ok := one.(string); ok {
					values.Set(name, strings.TrimPrefix(values.Get(name)+","+text, ","))
				}
			}
		}
	}
	return s.query(q.Context(), o, values)
}

func hasSchema(body map[string]any, urn string) bool {
	list, _ := body["schemas"].([]any)
	for _, one := range list {
		if text, ok := one.(string); ok && strings.EqualFold(text, urn) {
			return true
		}
	}
	return false
}

// read returns the body of a request, which is JSON.
func read(r *http.Request) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != mediaType && kind != "application/json" {
		return nil, web.ErrMediaType
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, web.DefaultMaxBody+1))
	switch {
	case len(body) > web.DefaultMaxBody:
		return nil, web.ErrBodyTooLarge
	case err != nil:
		return nil, fault.InvalidField("body", "could not be read to its end").Because(err)
	}
	return body, web.CheckJSON(body)
}

func object(r *http.Request) (map[string]any, error) {
	body, err := read(r)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if json.Unmarshal(body, &out) != nil || out == nil {
		return nil, ErrSyntax.WithMessage("the body must be an object")
	}
	return out, nil
}

// patchOf reads the operations of a PATCH.
func patchOf(r *http.Request) ([]operation, error) {
	body, err := read(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Schemas    []string    `json:"schemas"`
		Operations []operation `json:"Operations"`
	}
	if json.Unmarshal(body, &in) != nil {
		return nil, ErrSyntax
	}
	switch ok := false; {
	case len(in.Operations) == 0:
		return nil, ErrSyntax.WithMessage("Operations is required")
	case len(in.Operations) > mostOperations:
		return nil, ErrTooMany.WithMessage("a PATCH has at most 1000 operations")
	default:
		for _, urn := range in.Schemas {
			ok = ok || strings.EqualFold(urn, SchemaPatch)
		}
		if !ok {
			return nil, ErrSyntax.WithMessage("schemas must name " + SchemaPatch)
		}
	}
	return in.Operations, nil
}
