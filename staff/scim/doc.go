// Package scim is a SCIM 2.0 server (RFC 7643, RFC 7644) on the staff directory: identity providers such as Microsoft
// Entra keep Users (people) and Groups (organisational units) in step through it.
//
//	GET                      /scim/v2/ServiceProviderConfig, /ResourceTypes[/{id}], /Schemas[/{urn}]
//	GET, POST                /scim/v2/Users, /Groups            ?filter= startIndex= count= attributes= excludedAttributes=
//	POST                     /scim/v2/Users/.search, /Groups/.search
//	GET, PUT, PATCH, DELETE  /scim/v2/Users/{id}, /Groups/{id}  with ETag, If-Match and If-None-Match
//
// A client needs an API key with the scope scim, or is an administrator. Attributes outside the field groups of the key
// do not exist for it, neither in answers nor in filters; to write them is 403. What [Config.ReadOnly] lists belongs to
// staff alone: it is readOnly in the schemas, ignored in POST and PUT, and a mutability error as the path of a PATCH.
// Every change goes through [staff.Service], so it is audited, in the change log, and told to webhooks.
//
// # Which person is it
//
// A person is known by id, by the userName and the externalId that the client gave, and by employeeNumber. Until a client
// gives another one, the userName is the user id, or person-<id>. Nobody is ever matched by a mail address alone: have the
// client match by employeeNumber where people are in staff already.
//
// DELETE of a user deactivates the person and hides them from SCIM until they are active again; who is provisioned anew
// under the same userName, externalId or employeeNumber is the same person again. DELETE of a group ends its memberships
// and hides the unit until a client makes a group of its name; staff keeps it, with its history.
//
// # A client that goes wrong
//
// A key deactivates, by active, PUT or DELETE, no more people in a window than [staff.Deactivations] says: by default the
// greater of 5 and 5 % of the staff in 24 hours, and never more than half. The next one is refused with 403 and the scimType
// too_many_deactivations, which is in the audit trail; the administrators are told once a day. One of them lets the key go
// on by staff.Service.AllowDeactivations (POST /api/api-keys/{id}/deactivations in package staffhttp), or revokes it. No key deactivates the only administrator (last_administrator).
//
// # What clients really send
//
// Operations in capitals ("Replace"), booleans as text ("True"), dotted names in a value ("name.givenName"), also with a filter, names behind
// the URN of their schema, a manager as plain text, one value where a list belongs, unknown attributes, and a replace or add
// at a filter that matches nothing are understood (Microsoft Entra does all of it). A remove of members without a filter
// or a value is refused, because it would empty the group.
package scim
