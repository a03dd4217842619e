// Package webhooktest is the suite that every store of package webhook has to pass.
//
//	webhooktest.Run(t, func(t *testing.T) webhooktest.Store { return webhookbun.New(sqldbtest.SQLite(t, webhookbun.Migrations)) })
package webhooktest
