package scim

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
)

// The errors of SCIM (RFC 7644 section 3.12); the reason is the scimType.
var (
	ErrFilter     = fault.New(fault.Invalid, "invalidFilter", "the filter is not valid, or names an attribute that is not known")
	ErrTooMany    = fault.New(fault.Invalid, "tooMany", "that would be too much for one request")
	ErrUniqueness = fault.New(fault.Conflict, "uniqueness", "the value is another resource's")
	ErrMutability = fault.New(fault.Invalid, "mutability", "the attribute is readOnly")
	ErrSyntax     = fault.New(fault.Invalid, "invalidSyntax", "the body has not the form that it should")
	ErrPath       = fault.New(fault.Invalid, "invalidPath", "the path is not valid, or names an attribute that is not known")
	ErrNoTarget   = fault.New(fault.Invalid, "noTarget", "the path says nothing that could be changed")
	ErrValue      = fault.New(fault.Invalid, "invalidValue", "a value is missing or not valid")
	ErrUnknown    = fault.New(fault.NotFound, "unknown_resource", "there is no such resource")
	ErrStale      = fault.New(fault.Precondition, "version_mismatch", "it was changed meanwhile")
	ErrNotHere    = fault.New(fault.Invalid, "not_implemented", "the service provider does not support this")
)

// types are the reasons that are a scimType too: those of RFC 7644 and, lest a client that must stop sees only "403", that
// of the guards of package staff.
var types = map[string]bool{
	"invalidFilter": true, "tooMany": true, "uniqueness": true, "mutability": true, "invalidSyntax": true, "invalidPath": true,
	"noTarget": true, "invalidValue": true, staff.ErrTooManyDeactivations.Reason: true,
	staff.ErrLastAdmin.Reason: true, staff.ErrAdminEmail.Reason: true,
}

// inSCIM gives the faults of staff the names of attributes and of scimTypes.
func inSCIM(err error) error {
	f := fault.As(err)
	if f == nil || types[f.Reason] {
		return err
	}
	switch {
	case f.Code == fault.Conflict:
		return ErrUniqueness.WithMessage(f.Message).Because(err)
	case errors.Is(err, web.ErrMalformedJSON):
		return ErrSyntax.WithMessage(f.Message)
	case f.Code == fault.Invalid && len(f.Fields) > 0:
		at := f.Fields[0].Location
		if name, ok := attributeOf[at]; ok {
			at = name
		}
		return ErrValue.WithMessage(at + " " + f.Fields[0].Message).Because(err)
	}
	return err
}

// attributeOf are the attributes in which the fields of a person and a unit are.
var attributeOf = map[string]string{
	"first_name": "name.givenName", "last_name": "name.familyName", "name": "displayName", "email": "emails.value", "phone": "phoneNumbers.value",
	"job_title": "title", "is_active": "active", "employee_reference": "employeeNumber", "cost_centre": "costCenter", "line_manager_id": "manager.value",
}

// answerError is the body of an error and its status (RFC 7644 section 3.12).
func answerError(err error) (status int, body map[string]any) {
	p := web.ProblemOf(inSCIM(err))
	switch status = p.Status; {
	case p.Reason == ErrNotHere.Reason:
		status = http.StatusNotImplemented
	case status == http.StatusUnprocessableEntity:
		status = http.StatusBadRequest
	}
	body = map[string]any{"schemas": []string{SchemaError}, "status": strconv.Itoa(status), "detail": p.Detail}
	if types[p.Reason] {
		body["scimType"] = p.Reason
	}
	return status, body
}
