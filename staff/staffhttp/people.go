package staffhttp

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// Person is a person on the wire: the fields of the groups that the caller may read.
type Person struct{ staff.View }

// Schema implements huma.SchemaProvider, since which members are there depends on the caller.
func (Person) Schema(r huma.Registry) *huma.Schema {
	const name = "StaffPerson"
	if r.Map()[name] == nil {
		r.Map()[name] = personSchema()
	}
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}

func personSchema() *huma.Schema {
	text := func(format string, nullable bool) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Format: format, Nullable: nullable}
	}
	number := func(nullable bool) *huma.Schema {
		return &huma.Schema{Type: huma.TypeInteger, Format: "int64", Nullable: nullable}
	}
	assignment := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
		"id": number(false), "organisational_unit_id": number(false), "unit_name": text("", true), "unit_code": text("", true),
		"role_in_unit": text("", true), "is_primary": {Type: huma.TypeBoolean}, "start_date": text("date", true), "end_date": text("date", true),
	}}
	s := &huma.Schema{
		Type: huma.TypeObject, Description: "Members outside the field groups of the caller are absent.", Properties: map[string]*huma.Schema{
			"organisation_id": {Description: "A number where the tenant's id is one, else text."},
			"is_active":       {Type: huma.TypeBoolean},
			"id":              number(false),
			"line_manager_id": number(true),
			"version":         number(false),
			"created_at":      text("date-time", false),
			"updated_at":      text("date-time", false),
			staff.FieldUnits:  {Type: huma.TypeArray, Items: assignment},
			"date_of_birth":   text("date", true),
		},
	}
	for _, name := range staff.AllGroups().Fields() {
		if s.Properties[name] == nil {
			s.Properties[name] = text("", true)
		}
	}
	return s
}

type personIn struct {
	ID int64 `path:"id" minimum:"1"`
}

type personOut struct {
	ETag string `header:"ETag"`
	Body Person
}

func shownPerson(v staff.View, err error) (*personOut, error) {
	if err != nil {
		return nil, err
	}
	return &personOut{web.ETag(v.Person.Version), Person{v}}, nil
}

type createdPerson struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     Person
}

type editIn struct{ Body staff.Edit }

type patchIn struct {
	web.Precondition
	ID   int64 `path:"id" minimum:"1"`
	Body staff.Edit
}

type peopleIn struct {
	web.PageParams
	Search   string `query:"search" maxLength:"200" doc:"Part of a name, employee reference or address."`
	Unit     int64  `query:"organisational_unit_id" minimum:"1"`
	Inactive bool   `query:"include_inactive"`
}

type peopleOut struct{ Body web.List[Person] }

func (h *handlers) people(api huma.API) {
	s := h.cfg.Staff
	web.Handle(api, operation(http.MethodGet, "/api/staff/people", "List people by last and first name", http.StatusOK),
		func(ctx context.Context, by identity.Principal, in *peopleIn) (*peopleOut, error) {
			cut, err := s.List(ctx, by, staff.Filter{Search: in.Search, UnitID: in.Unit, Inactive: in.Inactive}, in.Page())
			h.pulled(ctx, by, "people", int64(len(cut.Items)), err)
			if err != nil {
				return nil, err
			}
			return &peopleOut{web.ListOf(cut, func(v staff.View) Person { return Person{v} })}, nil
		})
	web.Handle(api, operation(http.MethodPost, "/api/staff/people", "Add a person", http.StatusCreated, http.StatusConflict),
		func(ctx context.Context, by identity.Principal, in *editIn) (*createdPerson, error) {
			v, err := s.Create(ctx, by, in.Body)
			if err != nil {
				return nil, err
			}
			return &createdPerson{"/api/staff/people/" + strconv.FormatInt(v.Person.ID, 10), web.ETag(v.Person.Version), Person{v}}, nil
		})
	web.Handle(api, operation(http.MethodGet, "/api/staff/people/{id}", "Get a person", http.StatusOK, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *personIn) (*personOut, error) {
			v, err := s.Get(ctx, by, in.ID)
			h.pulled(ctx, by, "person", 1, err)
			return shownPerson(v, err)
		})
	web.Handle(api, operation(http.MethodPatch, "/api/staff/people/{id}", "Change a person", http.StatusOK,
		http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired),
		func(ctx context.Context, by identity.Principal, in *patchIn) (*personOut, error) {
			version, err := in.Version()
			if err != nil {
				return nil, err
			}
			return shownPerson(s.Update(ctx, by, in.ID, version, in.Body))
		})
}

type zipOut struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        func(huma.Context)
}

func (h *handlers) privacy(api huma.API) {
	s := h.cfg.Staff
	op := operation(http.MethodGet, "/api/staff/people/{id}/export", "Get all that is kept about a person, as a zip file", http.StatusOK, http.StatusNotFound)
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"application/zip": {}}}}
	web.Handle(api, op, func(ctx context.Context, by identity.Principal, in *personIn) (*zipOut, error) {
		d, err := s.Disclose(ctx, by, in.ID)
		if err != nil {
			return nil, err
		}
		return &zipOut{"application/zip", `attachment; filename="person-` + strconv.FormatInt(in.ID, 10) + `.zip"`, func(hc huma.Context) {
			if err := d.WriteZIP(hc.BodyWriter()); err != nil {
				panic(http.ErrAbortHandler) // half a file must not look whole
			}
		}}, nil
	})
	web.Handle(api, operation(http.MethodPost, "/api/staff/people/{id}/erase", "Erase a person's data for good", http.StatusNoContent, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *personIn) (*struct{}, error) {
			return nil, s.Erase(ctx, by, in.ID)
		})
}
