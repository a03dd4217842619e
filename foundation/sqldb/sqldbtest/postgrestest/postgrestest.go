package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// EnvURL is the environment variable that names the server to use. Its role must be allowed to create databases and
// schemas.
const EnvURL = "TEST_POSTGRES_URL"

// localAddress is where a distribution's PostgreSQL listens.
const localAddress = "127.0.0.1:5432"

// errNoServer says what to do when nothing worked.
var errNoServer = errors.New("postgrestest: no PostgreSQL for the tests: set " + EnvURL +
	" to a server whose role may create databases, or install PostgreSQL (Debian: apt-get install postgresql)")

// URL returns the URL of a running PostgreSQL server with a role that may create databases and schemas. The first call
// on a machine can take minutes when it has to install the server; processes that call it at the same time wait for the
// one that does. It is safe for concurrent use. It fails, naming what to do, when there is no server to be had.
func URL(ctx context.Context) (string, error) {
	if given := os.Getenv(EnvURL); given != "" {
		if err := ping(ctx, given); err != nil {
			return "", fmt.Errorf("postgrestest: the server named by %s cannot be used: %w", EnvURL, err)
		}
		return given, nil
	}
	if found := local(ctx, localAddress); found != "" {
		return found, nil
	}
	return shared().url(ctx)
}

// Stop stops the private server that URL started for this user, and removes its data. Without one it does nothing; it
// never touches a server that it did not start.
func Stop(ctx context.Context) error { return shared().stop(ctx) }

// shared is the private server of this user, the same one in every process.
func shared() cluster {
	return cluster{dir: filepath.Join(os.TempDir(), "renkei-postgres-"+strconv.Itoa(os.Getuid())), find: find, install: install}
}

// local returns the URL of a server at the address that trusts a local role, or "".
func local(ctx context.Context, address string) string {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return ""
	}
	_ = conn.Close() // only asked whether somebody listens
	for _, database := range []string{"postgres", "test"} {
		for _, role := range []string{"root", "postgres"} {
			candidate := serverURL(url.User(role), address, database)
			if ping(ctx, candidate) == nil {
				return candidate
			}
		}
	}
	return ""
}

func serverURL(role *url.Userinfo, address, database string) string {
	u := url.URL{Scheme: "postgres", User: role, Host: address, Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// tooManyConnections is the SQLSTATE of a server that is well but full.
const tooManyConnections = "53300"

// ping connects and asks whether the role may create databases. A full server counts as usable: its other users are
// test processes that will let go.
func ping(ctx context.Context, server string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, server)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == tooManyConnections {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	results, err := conn.Exec(ctx, "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user").ReadAll()
	if err != nil {
		return err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || string(results[0].Rows[0][0]) != "t" {
		return errors.New("its role may not create databases")
	}
	return nil
}
