package pgorigin

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

const importConnectTimeout = 10 * time.Second

// Target is the database into which to import.
type Target struct {
	URL    string
	Schema bool // first create the missing parts of [Schema]
}

// Records provides the records of a directory.
type Records interface {
	AllLocations() []*facts.Location
	AllUsers() []*facts.User
}

// Import makes the tables of [Schema] equal to a directory in one transaction. It deletes rows that are not in the
// directory, and changes no version of an unchanged record. Other writers wait until it has finished. It calls progress,
// which may be nil, from time to time. No error contains the password.
func Import(ctx context.Context, to Target, records Records, progress func(done, total int)) error {
	hidden := new(secrets)
	settings, err := parseSettings(to.URL, importConnectTimeout, hidden)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, settings.ConnConfig)
	if err != nil {
		return hidden.redact(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if to.Schema {
		if err := conn.PgConn().Exec(ctx, Schema).Close(); err != nil {
			return fmt.Errorf("cannot create the tables: %w", hidden.redact(err))
		}
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	in := &importing{locations: records.AllLocations(), users: records.AllUsers(), progress: progress}
	in.total = 2 * (len(in.locations) + len(in.users))
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return in.run(ctx, tx) })
	if in.unstorable != nil {
		return in.unstorable
	}
	return hidden.redact(err)
}

// importing is an import in progress. Progress counts each record twice: when it is sent, and when it is merged.
type importing struct {
	locations   []*facts.Location
	users       []*facts.User
	progress    func(done, total int)
	done, total int
	unstorable  error
}

func (in *importing) advance(records int) {
	in.done += records
	in.progress(in.done, in.total)
}

func (in *importing) run(ctx context.Context, tx pgx.Tx) error {
	for _, sql := range []string{
		"SET LOCAL jit = off",
		"LOCK TABLE users, assignments, locations IN SHARE ROW EXCLUSIVE MODE",
		"SET CONSTRAINTS ALL DEFERRED",
		"CREATE TEMP TABLE wardkeeper_locations ON COMMIT DROP AS SELECT id, name, kind, parent, model, plan FROM locations WITH NO DATA",
		"CREATE TEMP TABLE wardkeeper_users ON COMMIT DROP AS SELECT id, username, title, given, family, status, default_location, last_login FROM users WITH NO DATA",
		"CREATE TEMP TABLE wardkeeper_assignments ON COMMIT DROP AS SELECT user_id, location, role, status, access, profession, registration_number FROM assignments WITH NO DATA",
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	if err := in.send(ctx, tx); err != nil {
		return err
	}
	for i, sql := range importSteps {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
		in.advance(in.total/2*(i+1)/len(importSteps) - in.total/2*i/len(importSteps))
	}
	return nil
}

// importSteps merge the temporary tables into the tables. Their order ensures that no row refers to a missing one and no
// username still belongs to a user who is about to lose it.
var importSteps = []string{
	"ANALYZE wardkeeper_locations, wardkeeper_users, wardkeeper_assignments",
	`DELETE FROM assignments a WHERE NOT EXISTS (SELECT FROM wardkeeper_assignments n WHERE (n.user_id, n.location) = (a.user_id, a.location))`,
	`DELETE FROM users u WHERE NOT EXISTS (SELECT FROM wardkeeper_users n WHERE n.id = u.id)`,
	`UPDATE locations l SET name = n.name, kind = n.kind, parent = n.parent, model = n.model, plan = n.plan
FROM wardkeeper_locations n WHERE n.id = l.id
AND (l.name, l.kind, l.parent, l.model, l.plan) IS DISTINCT FROM (n.name, n.kind, n.parent, n.model, n.plan)`,
	`INSERT INTO locations (id, name, kind, parent, model, plan)
SELECT id, name, kind, parent, model, plan FROM wardkeeper_locations n WHERE NOT EXISTS (SELECT FROM locations l WHERE l.id = n.id)`,
	`UPDATE users u SET username = NULL FROM wardkeeper_users n WHERE n.id = u.id AND u.username <> COALESCE(n.username, '')`,
	`UPDATE users u SET username = n.username, title = n.title, given = n.given, family = n.family, status = n.status,
default_location = n.default_location, last_login = n.last_login
FROM wardkeeper_users n WHERE n.id = u.id
AND (u.username, u.title, u.given, u.family, u.status, u.default_location, u.last_login)
IS DISTINCT FROM (n.username, n.title, n.given, n.family, n.status, n.default_location, n.last_login)`,
	`INSERT INTO users (id, username, title, given, family, status, default_location, last_login)
SELECT id, username, title, given, family, status, default_location, last_login FROM wardkeeper_users n
WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = n.id)`,
	`UPDATE assignments a SET role = n.role, status = n.status, access = n.access, profession = n.profession,
registration_number = n.registration_number
FROM wardkeeper_assignments n WHERE (n.user_id, n.location) = (a.user_id, a.location)
AND (a.role, a.status, a.access, a.profession, a.registration_number)
IS DISTINCT FROM (n.role, n.status, n.access, n.profession, n.registration_number)`,
	`INSERT INTO assignments (user_id, location, role, status, access, profession, registration_number)
SELECT user_id, location, role, status, access, profession, registration_number FROM wardkeeper_assignments n
WHERE NOT EXISTS (SELECT FROM assignments a WHERE (a.user_id, a.location) = (n.user_id, n.location))`,
	`DELETE FROM locations l WHERE NOT EXISTS (SELECT FROM wardkeeper_locations n WHERE n.id = l.id)`,
	"SET CONSTRAINTS ALL IMMEDIATE",
	"ANALYZE locations, users, assignments",
}
