// Package delegationhttp is secretary mode over HTTP (seed 003 §2): POST and GET /delegations, DELETE /delegations/{id}.
package delegationhttp
