// Package graphsynchttp serves the synchronisation with Microsoft Entra over HTTP, for people and, where nothing is
// decided, for API keys with the scope sync:manage:
//
//	GET   /api/entra-sync                            how it stands
//	POST  /api/entra-sync/pause                      nothing begins by itself
//	POST  /api/entra-sync/resume
//	GET   /api/entra-sync/runs                       newest first
//	POST  /api/entra-sync/runs                       ask for a run {"dry_run", "full"}; 202
//	GET   /api/entra-sync/runs/{id}
//	GET   /api/entra-sync/runs/{id}/steps            the plan, and what became of it; ?state=
//	POST  /api/entra-sync/runs/{id}/approve          {"hash", "confirm":[guards]}
//	POST  /api/entra-sync/runs/{id}/discard
//	POST  /api/entra-sync/runs/{id}/rollback         the plan that undoes it; 201
//	GET   /api/entra-sync/conflicts
//	POST  /api/entra-sync/conflicts/{id}/resolve     {"action", "remote_id"}
//	GET   /api/entra-sync/quarantine/{kind}          user or group
//	POST  /api/entra-sync/quarantine/{kind}/{id}/release
//
// Where nothing is synchronised with Entra they all answer 404 entra_sync_disabled.
package graphsynchttp
