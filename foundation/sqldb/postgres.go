package sqldb

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/renkei-go/renkei/foundation/fault"
)

func parsePostgres(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		// pgx repeats parts of the URL in its error, so only the log may see it.
		return nil, ErrBadURL.Because(err)
	}
	return cfg, nil
}

func openPostgres(ctx context.Context, url string, o options) (*DB, error) {
	cfg, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	prepares := cfg.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // bun writes the arguments into the text
	if cfg.RuntimeParams["timezone"] == "" {
		cfg.RuntimeParams["timezone"] = "UTC"
	}
	sqlDB := sql.OpenDB(connector{stdlib.GetConnector(*cfg)})
	sqlDB.SetMaxOpenConns(o.maxConns)
	sqlDB.SetMaxIdleConns(o.maxConns)
	db := bun.NewDB(sqlDB, pgdialect.New())
	if err := db.PingContext(ctx); err != nil {
		_ = sqlDB.Close()
		return nil, fault.New(fault.Unavailable, "database_unavailable", "the database does not answer").Because(err)
	}
	out := Wrap(db)
	out.owned = append(out.owned, sqlDB)
	out.pgURL, out.prepares = url, prepares
	return out, nil
}
