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

// connectionLife is how long a connection lives at least, and half of the most: names are looked up, and files are read,
// again.
const connectionLife = 5 * time.Minute

// address is where a database is, and how to connect to it. What its URL and the environment refer to by files, passwords and
// keys and certificates, is read again for each connection; what cannot be read stays as it was read last.
type address struct {
	Url     string
	timeout time.Duration
	secrets *secrets
	logger  *slog.Logger

	mu     sync.Mutex
	last   *pgx.ConnConfig
	failed bool // told once
}

func openAddress(url string, timeout time.Duration, hidden *secrets, logger *slog.Logger) (*address, *pgxpool.Config, error) {
	settings, err := postgresSettings(url, timeout, hidden)
	if err != nil {
		return nil, nil, err
	}
	return &address{Url: url, timeout: timeout, secrets: hidden, logger: logger, last: settings.ConnConfig.Copy()}, settings, nil
}

// now gives the settings for a connection that is made now.
func (a *address) now() *pgx.ConnConfig {
	a.mu.Lock()
	defer a.mu.Unlock()
	settings, err := postgresSettings(a.Url, a.timeout, a.secrets)
	if err == nil && settings.ConnConfig.Password == "" && a.last.Password != "" {
		err = errors.New("the file of passwords has none for the database any more")
	}
	switch {
	case err == nil:
		a.last, a.failed = settings.ConnConfig, false
	case !a.failed:
		a.failed = true
		a.logger.Warn("the credentials of the database cannot be read again, the last ones are used", "error", a.secrets.hidden(err))
	}
	return a.last.Copy()
}

// postgresSettings reads a URL, and the files that it names.
func postgresSettings(url string, timeout time.Duration, hidden *secrets) (*pgxpool.Config, error) {
	if err := hidden.addOf(url); err != nil {
		return nil, err
	}
	settings, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, unfit(err, hidden)
	}
	hidden.add(settings.ConnConfig.Password)
	keepCertificate(url, settings.ConnConfig)
	settings.ConnConfig.ConnectTimeout = timeout
	settings.ConnConfig.RuntimeParams["timezone"] = "UTC" // in others, times long ago had zones that RFC 3339 cannot write
	if settings.ConnConfig.RuntimeParams["application_name"] == "" {
		settings.ConnConfig.RuntimeParams["application_name"] = "wardkeeper"
	}
	return settings, nil
}

// unfit says what to correct. The parser's own words may repeat what is in the URL.
func unfit(err error, hidden *secrets) error {
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return invalid("a file that the database's URL or a variable PG... names cannot be read: " + hidden.hidden(file).Error())
	}
	return invalid("a setting in the database's URL, in a variable PG... or in a file that they name is not as it should be: " +
		"check sslmode, sslrootcert, sslcert and sslkey, ports, target_session_attrs and connect_timeout")
}

// keepCertificate reads the client's certificate now, so that a file that breaks later does not break what was read. One that
// is not named by the URL or the environment, or whose key is encrypted, is left to the driver, which reads it when it connects.
func keepCertificate(address string, cfg *pgx.ConnConfig) {
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

// pooled says whether a connection leads through a pooler, which may send each query to another session.
func pooled(conn *pgconn.PgConn) bool { return conn.CustomData()[pooledKey] != nil }

const pooledKey = "pooled"

// settle prepares a connection for questions. Where no pooler is, compiling a question would take longer than answering it;
// a pooler would leave the setting to others.
func settle(ctx context.Context, conn *pgx.Conn) error {
	var direct bool
	err := conn.QueryRow(ctx, "SELECT CASE WHEN pg_backend_pid() = $1::bigint THEN set_config('jit', 'off', false) END IS NOT NULL",
		pgx.QueryExecModeExec, int64(conn.PgConn().PID())).Scan(&direct)
	if err == nil && !direct {
		conn.PgConn().CustomData()[pooledKey] = true
	}
	return err
}
