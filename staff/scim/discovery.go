package scim

// serviceProviderConfig is RFC 7643 section 5.
func (s *Server) serviceProviderConfig() map[string]any {
	no := map[string]any{"supported": false}
	return map[string]any{
		"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		"patch":   map[string]any{"supported": true}, "etag": map[string]any{"supported": true},
		"filter": map[string]any{"supported": true, "maxResults": mostItems},
		"bulk":   map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0}, "sort": no, "changePassword": no,
		"authenticationSchemes": []any{map[string]any{
			"type": "oauthbearertoken", "name": "API key", "description": "An API key with the scope scim as the bearer token.",
			"specUri": "https://www.rfc-editor.org/rfc/rfc6750", "primary": true,
		}},
		"meta": map[string]any{"resourceType": "ServiceProviderConfig", "location": s.cfg.URL + "/ServiceProviderConfig"},
	}
}

// resourceTypes is RFC 7643 section 6.
func (s *Server) resourceTypes(c caller) []map[string]any {
	var out []map[string]any
	for _, r := range []resource{c.users, c.units} {
		extensions := []any{}
		for _, e := range r.extensions {
			extensions = append(extensions, map[string]any{"schema": e.urn, "required": false})
		}
		out = append(out, map[string]any{
			"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, "id": string(r.kind), "name": string(r.kind),
			"endpoint": r.endpoint, "description": r.core.text, "schema": r.core.urn, "schemaExtensions": extensions,
			"meta": map[string]any{"resourceType": "ResourceType", "location": s.cfg.URL + "/ResourceTypes/" + string(r.kind)},
		})
	}
	return out
}

// schemaList is RFC 7643 section 7, as the caller may use it.
func (s *Server) schemaList(c caller) []map[string]any {
	var out []map[string]any
	for _, r := range []resource{c.users, c.units} {
		for _, one := range append([]schema{r.core}, r.extensions...) {
			out = append(out, map[string]any{
				"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, "id": one.urn, "name": one.name, "description": one.text,
				"attributes": definitions(one.attributes),
				"meta":       map[string]any{"resourceType": "Schema", "location": s.cfg.URL + "/Schemas/" + one.urn},
			})
		}
	}
	return out
}

func definitions(all []attribute) []any {
	out := []any{}
	for _, a := range all {
		d := map[string]any{
			"name": a.name, "type": a.kind, "multiValued": a.multi, "description": a.text, "required": a.required, "caseExact": a.exact,
			"mutability": "readWrite", "returned": "default", "uniqueness": "none",
		}
		if a.readOnly {
			d["mutability"] = "readOnly"
		}
		if a.always {
			d["returned"] = "always"
		}
		if a.unique {
			d["uniqueness"] = "server"
		}
		if len(a.refers) > 0 {
			d["referenceTypes"] = a.refers
		}
		if len(a.sub) > 0 {
			d["subAttributes"] = definitions(a.sub)
		}
		out = append(out, d)
	}
	return out
}

// byID returns the one with the id, or ErrUnknown.
func byID(all []map[string]any, id string) (map[string]any, error) {
	for _, one := range all {
		if one["id"] == id {
			return one, nil
		}
	}
	return nil, ErrUnknown
}
