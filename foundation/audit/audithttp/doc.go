// Package audithttp shows the audit trail over HTTP: GET /audit.
package audithttp
