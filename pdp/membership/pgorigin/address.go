package pgorigin

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// minConnectionLife is the minimum lifetime of a connection and half of the maximum. A new connection resolves names and
// reads files again.
const minConnectionLife = 5 * time.Minute

// address holds the settings for connecting to a database. The files named by the URL and the environment (passwords,
// keys, certificates) are read again for each connection. If they cannot be read, the last settings are used.
type address struct {
	url     string
	timeout time.Duration
	secrets *secrets
	logger  *slog.Logger

	mu     sync.Mutex
	last   *pgx.ConnConfig
	failed bool // and that has been logged
}

func openAddress(url string, timeout time.Duration, hidden *secrets, logger *slog.Logger) (*address, *pgxpool.Config, error) {
	settings, err := parseSettings(url, timeout, hidden)
	if err != nil {
		return nil, nil, err
	}
	return &address{url: url, timeout: timeout, secrets: hidden, logger: logger, last: settings.ConnConfig.Copy()}, settings, nil
}

// now returns the current settings for a new connection.
func (a *address) now() *pgx.ConnConfig {
	a.mu.Lock()
	defer a.mu.Unlock()
	settings, err := parseSettings(a.url, a.timeout, a.secrets)
	if err == nil && settings.ConnConfig.Password == "" && a.last.Password != "" {
		err = errors.New("the password file no longer has an entry for the database")
	}
	switch {
	case err == nil:
		a.last, a.failed = settings.ConnConfig, false
	case !a.failed:
		a.failed = true
		a.logger.Warn("database credentials cannot be read, using the last ones", "error", a.secrets.redact(err))
	}
	return a.last.Copy()
}

// parseSettings parses a URL and reads the files that it names.
func parseSettings(url string, timeout time.Duration, hidden *secrets) (*pgxpool.Config, error) {
	if err := hidden.addFromURL(url); err != nil {
		return nil, err
	}
	settings, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, configError(err, hidden)
	}
	hidden.add(settings.ConnConfig.Password)
	preloadCertificate(url, settings.ConnConfig)
	settings.ConnConfig.ConnectTimeout = timeout
	settings.ConnConfig.RuntimeParams["timezone"] = "UTC" // other zones once had offsets that RFC 3339 cannot express
	if settings.ConnConfig.RuntimeParams["application_name"] == "" {
		settings.ConnConfig.RuntimeParams["application_name"] = "wardkeeper"
	}
	return settings, nil
}

// configError returns an error that says what to correct. It omits the parser's message, which may quote the URL.
func configError(err error, hidden *secrets) error {
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return invalid("a file named by the database's URL or a PG... variable cannot be read: " + hidden.redact(file).Error())
	}
	return invalid("a setting in the database's URL, in a PG... variable or in a file named there is invalid: " +
		"check sslmode, sslrootcert, sslcert and sslkey, ports, target_session_attrs and connect_timeout")
}

// preloadCertificate reads the client certificate in advance, so that the settings remain usable if the file becomes
// unreadable. If neither URL nor environment names a certificate, or its key is encrypted, the driver reads the
// certificate when it connects.
func preloadCertificate(address string, cfg *pgx.ConnConfig) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	certificate := cmp.Or(u.Query().Get("sslcert"), os.Getenv("PGSSLCERT"))
	key := cmp.Or(u.Query().Get("sslkey"), os.Getenv("PGSSLKEY"))
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return
	}
	all := []*tls.Config{cfg.TLSConfig}
	for _, f := range cfg.Fallbacks {
		all = append(all, f.TLSConfig)
	}
	for _, one := range all {
		if one != nil {
			one.Certificates = []tls.Certificate{pair}
		}
	}
}

// pooled reports whether a connection goes through a pooler, which may send each query to a different session.
func pooled(conn *pgconn.PgConn) bool { return conn.CustomData()[pooledKey] != nil }

const pooledKey = "pooled"

// prepareConnection detects a pooler. Without a pooler it disables JIT compilation, which takes longer than the queries.
// Through a pooler that setting would affect other clients.
func prepareConnection(ctx context.Context, conn *pgx.Conn) error {
	var direct bool
	err := conn.QueryRow(ctx, "SELECT CASE WHEN pg_backend_pid() = $1::bigint THEN set_config('jit', 'off', false) END IS NOT NULL",
		pgx.QueryExecModeExec, int64(conn.PgConn().PID())).Scan(&direct)
	if err == nil && !direct {
		conn.PgConn().CustomData()[pooledKey] = true
	}
	return err
}
