package pgorigin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
)

const administrator = `{"id": "a", "username": "a@example.org", "default_location": "metro",
	"assignments": [{"location": "metro", "role": "regional_admin"}, {"location": "ghi", "role": "ed_admin"}]}, {"id": "b"}`

const deactivate = `UPDATE users SET status = 'deactivated' WHERE id = 'a';`

// Ways in which rows can change, and what must happen before the next heartbeat: either the change is announced, or
// listening ends because something is missing. The missing part is "" if everything is in place again.
var unannouncedWrites = map[string]struct {
	before, write string
	announced     bool
	missing       string
}{
	"an update":             {write: deactivate, announced: true},
	"a copy":                {write: `COPY users (id) FROM PROGRAM 'echo new'`, announced: true},
	"a cascade":             {before: `ALTER TABLE users DROP CONSTRAINT users_default_location_assigned`, write: `DELETE FROM users WHERE id = 'a'`, announced: true},
	"a cascade from a root": {before: `ALTER TABLE assignments DROP CONSTRAINT assignments_location_fkey, ADD FOREIGN KEY (location) REFERENCES locations ON DELETE CASCADE; UPDATE users SET default_location = NULL`, write: `DELETE FROM locations WHERE id = 'ghi'`, announced: true},
	"truncate":              {write: `TRUNCATE assignments, users`},
	"as a replica":          {write: `SET session_replication_role = replica; ` + deactivate, announced: true},
	"as a replica, roles":   {write: `SET session_replication_role = replica; DELETE FROM assignments WHERE user_id = 'a'`, announced: true},
	"as a replica, places":  {write: `SET session_replication_role = replica; UPDATE locations SET name = 'New' WHERE id = 'ghi'`, announced: true},

	"triggers off":                    {write: `ALTER TABLE users DISABLE TRIGGER USER; ` + deactivate, missing: "triggers"},
	"triggers off and on":             {write: `ALTER TABLE users DISABLE TRIGGER wardkeeper_updated; ` + deactivate + ` ALTER TABLE users ENABLE ALWAYS TRIGGER wardkeeper_updated`},
	"triggers off and on, by default": {write: `ALTER TABLE users DISABLE TRIGGER ALL; ` + deactivate + ` ALTER TABLE users ENABLE TRIGGER ALL`, missing: "triggers"},
	"triggers for replicas":           {write: `ALTER TABLE users ENABLE REPLICA TRIGGER wardkeeper_updated; ` + deactivate, missing: "triggers"},
	"a trigger dropped":               {write: `DROP TRIGGER wardkeeper_updated ON users; ` + deactivate, missing: "triggers"},
	"a trigger dropped and made": {write: `DROP TRIGGER wardkeeper_updated ON users; ` + deactivate + `CREATE TRIGGER wardkeeper_updated AFTER UPDATE ON users
		REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION wardkeeper_users_written(); ALTER TABLE users ENABLE ALWAYS TRIGGER wardkeeper_updated`},
	"a trigger with a condition": {write: `CREATE OR REPLACE TRIGGER wardkeeper_emptied AFTER TRUNCATE ON users FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION wardkeeper_users_written();
		ALTER TABLE users ENABLE ALWAYS TRIGGER wardkeeper_emptied`, missing: "triggers"},
	"a trigger of some columns": {write: `CREATE OR REPLACE TRIGGER wardkeeper_version BEFORE INSERT OR UPDATE OF title ON users FOR EACH ROW EXECUTE FUNCTION wardkeeper_version();
		ALTER TABLE users ENABLE ALWAYS TRIGGER wardkeeper_version; ` + deactivate, missing: "triggers"},
	"a trigger of another function": {write: `CREATE OR REPLACE TRIGGER wardkeeper_emptied AFTER TRUNCATE ON users FOR EACH STATEMENT EXECUTE FUNCTION wardkeeper_assignments_written();
		ALTER TABLE users ENABLE ALWAYS TRIGGER wardkeeper_emptied`, missing: "triggers"},
	"a trigger of a namesake": {write: `CREATE SCHEMA other; CREATE FUNCTION other.wardkeeper_users_written() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE OR REPLACE TRIGGER wardkeeper_emptied AFTER TRUNCATE ON users FOR EACH STATEMENT EXECUTE FUNCTION other.wardkeeper_users_written();
		ALTER TABLE users ENABLE ALWAYS TRIGGER wardkeeper_emptied; TRUNCATE users CASCADE`, missing: "triggers"},
	"an impostor":          {write: fakeFunction + deactivate, missing: "trigger_functions"},
	"an impostor for long": {before: fakeFunction, write: deactivate, missing: "trigger_functions"},
	"an impostor is gone":  {write: fakeFunction + deactivate + Schema},
	"another way to tell":  {write: `CREATE FUNCTION wardkeeper_tell(kind text, id text, organization text, version int) RETURNS void LANGUAGE sql AS ''`, missing: "trigger_functions"},
	"a function that tells nobody": {write: `CREATE OR REPLACE FUNCTION wardkeeper_tell(kind text, id text DEFAULT NULL, organization text DEFAULT NULL, version bigint DEFAULT NULL, since bigint DEFAULT NULL)
		RETURNS void LANGUAGE plpgsql AS 'BEGIN END'; ` + deactivate, missing: "trigger_functions"},
	"a strict function":          {write: `ALTER FUNCTION wardkeeper_tell STRICT; ` + deactivate, missing: "trigger_functions"},
	"a function elsewhere":       {write: `ALTER FUNCTION wardkeeper_touch_users SET search_path = pg_temp, public; ` + deactivate, missing: "trigger_functions"},
	"a definer's function":       {write: `ALTER FUNCTION wardkeeper_users_written SECURITY DEFINER; ` + deactivate, missing: "trigger_functions"},
	"a function with a setting":  {write: `ALTER FUNCTION wardkeeper_users_written SET plpgsql.variable_conflict = 'use_column'; ` + deactivate, missing: "trigger_functions"},
	"catalog without triggers":   {write: `UPDATE pg_class SET relhastriggers = false WHERE relname = 'users'; ` + deactivate, missing: "triggers"},
	"catalog changed, and back":  {write: `UPDATE pg_trigger SET tgenabled = 'D' WHERE tgname = 'wardkeeper_updated'; ` + deactivate + `UPDATE pg_trigger SET tgenabled = 'A' WHERE tgname = 'wardkeeper_updated'`},
	"a trigger that undoes":      {write: dropping("zz_drop"), missing: "other_triggers"},
	"a trigger that drops roles": {before: dropping("a_drop"), write: `UPDATE assignments SET role = 'user' WHERE location = 'metro'`, announced: true},
	"a rule that drops roles":    {before: `CREATE RULE nothing AS ON UPDATE TO users DO INSTEAD NOTHING`, write: `UPDATE assignments SET role = 'user' WHERE location = 'metro'`, missing: "rules"},
	"a rule that writes elsewhere": {before: `CREATE TABLE other AS SELECT id FROM users; CREATE RULE elsewhere AS ON UPDATE TO users WHERE NEW.version = 0 DO INSTEAD UPDATE other SET id = id`,
		write: `UPDATE assignments SET role = 'user' WHERE location = 'metro'`, missing: "rules"},
	"a rule for a moment": {write: `CREATE TABLE other AS SELECT id FROM users; CREATE RULE elsewhere AS ON UPDATE TO users WHERE NEW.version = 0 DO INSTEAD UPDATE other SET id = id;
		UPDATE assignments SET role = 'user' WHERE location = 'metro'; DROP RULE elsewhere ON users`},
	"a trigger that drops roots": {before: `CREATE FUNCTION dropped() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER a_drop BEFORE UPDATE ON locations FOR EACH ROW WHEN (OLD.parent IS NULL) EXECUTE FUNCTION dropped()`, write: `UPDATE locations SET name = 'New' WHERE id = 'ghi'`, announced: true},

	"a column's type": {write: `ALTER TABLE users DROP CONSTRAINT users_status_check, ALTER COLUMN status TYPE text USING 'deactivated'`},
	"a column anew":   {write: `ALTER TABLE users DROP COLUMN status, ADD COLUMN status text DEFAULT 'deactivated'`},
	"columns change places": {before: `ALTER TABLE users ADD COLUMN other text DEFAULT 'deactivated'`,
		write: `ALTER TABLE users RENAME COLUMN status TO former; ALTER TABLE users RENAME COLUMN other TO status`},
	"tables change places": {write: `ALTER TABLE users RENAME TO former; CREATE TABLE users (LIKE former INCLUDING ALL)`, missing: "triggers"},
	"a schema changes places": {before: `SET search_path = public; CREATE SCHEMA other; CREATE TABLE other.users (LIKE users INCLUDING ALL); CREATE SEQUENCE other.wardkeeper_versions;` + inOtherSchema("other"),
		write: `ALTER SCHEMA public RENAME TO former; ALTER SCHEMA other RENAME TO public; UPDATE former.assignments SET role = 'user' WHERE location = 'metro';
			ALTER SCHEMA public RENAME TO other; ALTER SCHEMA former RENAME TO public`},
	"a table of the same name": {write: `CREATE SCHEMA wardkeeper; CREATE TABLE wardkeeper.users (LIKE users INCLUDING ALL)`, missing: "triggers"},
	"a view of the same name":  {write: `CREATE SCHEMA wardkeeper; CREATE VIEW wardkeeper.users AS SELECT * FROM users`, missing: "table_kind"},
	"a table that goes":        {write: `ALTER TABLE users RENAME TO former`, missing: "table_kind"},
	"an heir":                  {write: `CREATE TABLE heir () INHERITS (assignments); INSERT INTO heir VALUES ('b', 'metro', 'regional_admin')`, missing: "inheritance"},
	"an heir that went":        {write: `CREATE TABLE heir () INHERITS (assignments); INSERT INTO heir VALUES ('b', 'metro', 'regional_admin'); ALTER TABLE heir NO INHERIT assignments`},
	"a partition": {write: `CREATE TABLE whole (LIKE assignments INCLUDING ALL) PARTITION BY LIST (user_id); ALTER TABLE whole ATTACH PARTITION assignments FOR VALUES IN ('a')`,
		missing: "inheritance"},
	"partitions":            {write: `ALTER TABLE assignments RENAME TO former; CREATE TABLE assignments (LIKE former INCLUDING DEFAULTS) PARTITION BY LIST (user_id)`, missing: "table_kind"},
	"row security":          {write: `CREATE POLICY few ON users USING (id <> 'a'); ALTER TABLE users ENABLE ROW LEVEL SECURITY`, missing: "row_security"},
	"row security of roles": {before: `ALTER TABLE assignments ENABLE ROW LEVEL SECURITY`, write: deactivate, missing: "row_security"},
	"an enum": {before: `DO $$ DECLARE name regclass; BEGIN
		FOR name IN SELECT indexrelid FROM pg_index WHERE indrelid = 'users'::regclass AND indpred IS NOT NULL LOOP EXECUTE format('DROP INDEX %s', name); END LOOP; END $$;
		CREATE TYPE status AS ENUM ('active', 'disabled'); ALTER TABLE users DROP CONSTRAINT users_status_check, ALTER COLUMN status DROP DEFAULT, ALTER COLUMN status TYPE status USING status::status`,
		write: `ALTER TYPE status RENAME VALUE 'active' TO 'deactivated'`, missing: "column_types"},
	"a role's name": {before: `CREATE ROLE nurse; ALTER TABLE users ALTER COLUMN title TYPE regrole USING 'nurse'::regrole`, write: `ALTER ROLE nurse RENAME TO doctor`, missing: "column_types"},
	"money":         {before: `ALTER TABLE users ALTER COLUMN title TYPE money USING 1::money`, write: `SELECT set_config('lc_monetary', 'C', false)`, missing: "column_types"},
	"a domain":      {before: `CREATE DOMAIN title AS text; ALTER TABLE users ALTER COLUMN title TYPE title`, write: deactivate, announced: true},
	"citext":        {before: `CREATE EXTENSION citext; ALTER TABLE users ALTER COLUMN title TYPE citext`, write: deactivate, announced: true},
	"a subscription": {write: `CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false);
		INSERT INTO pg_subscription_rel SELECT oid, 'users'::regclass, 'r', NULL FROM pg_subscription; ALTER SUBSCRIPTION s SET (slot_name = NONE)`, missing: "replication"},

	"the guards": {before: Guards + `BEGIN; INSERT INTO users (id, default_location) VALUES ('other', 'metro'); INSERT INTO assignments VALUES ('other', 'metro', 'regional_admin'); COMMIT`,
		write: deactivate, announced: true},

	"versions set back":      {write: `SELECT setval('wardkeeper_versions', 1)`},
	"versions made anew":     {write: `DROP SEQUENCE wardkeeper_versions; CREATE SEQUENCE wardkeeper_versions`},
	"versions begin anew":    {write: `ALTER SEQUENCE wardkeeper_versions RESTART`},
	"the schema once again":  {write: Schema},
	"a table written anew":   {write: `VACUUM FULL users`},
	"a table without change": {write: `ANALYZE users; CREATE INDEX ON users (title); ` + deactivate, announced: true},
}

// inOtherSchema creates in another schema the function that the triggers for assignments use.
func inOtherSchema(schema string) string {
	return "SET search_path = " + schema + ";" + shippedFunction("wardkeeper_touch_users") + "; SET search_path = public;"
}

const fakeFunction = `CREATE OR REPLACE FUNCTION wardkeeper_users_written() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';`

// dropping creates a trigger that drops updates of nothing but versions.
func dropping(name string) string {
	return `CREATE FUNCTION dropped() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.title IS NOT DISTINCT FROM OLD.title THEN RETURN NULL; END IF; RETURN NEW; END';
		CREATE TRIGGER ` + name + ` BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION dropped();`
}

// However a row changes, no heartbeat may follow as if nothing had changed.
func TestEveryWriteIsAnnouncedOrEndsListening(t *testing.T) {
	server := servertest.StartPostgres(t)
	for name, c := range unannouncedWrites {
		t.Run(name, func(t *testing.T) {
			p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
			servertest.Exec(t, conn, "SET allow_system_table_mods = on; SET search_path = public")
			servertest.Exec(t, conn, c.before)
			p.heartbeat = 100 * time.Millisecond
			h := watch(t, p)
			require.Eventually(t, func() bool { return h.count("heartbeat")+h.count("lost") > 0 }, fixture.Timeout, time.Millisecond)
			began := h.count("began")
			servertest.Exec(t, conn, c.write)
			done := time.Now()
			require.Eventually(t, func() bool {
				h.mu.Lock()
				defer h.mu.Unlock()
				return len(h.lost) > 0 || h.heartbeat.After(done)
			}, fixture.Timeout, time.Millisecond)
			if c.announced {
				assert.NotEmpty(t, h.changes())
				assert.Empty(t, h.errs())
				return
			}
			require.NotEmpty(t, h.errs())
			if c.missing == "" {
				require.Eventually(t, func() bool { return h.count("began") > began }, fixture.Timeout, time.Millisecond)
				return
			}
			require.Eventually(t, func() bool {
				for _, err := range h.errs() {
					var unproven *membership.Unproven
					if errors.As(err, &unproven) && assert.ObjectsAreEqual(c.missing, unproven.Missing[0]) {
						return true
					}
				}
				return false
			}, fixture.Timeout, time.Millisecond, "%v", h.errs())
			assert.Equal(t, began, h.count("began"))
		})
	}
}

// Versions increase even if their sequence is set back and forward again between two heartbeats.
func TestVersionsGrowWhenTheSequenceIsSetBack(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	before := version(t, p, "")
	h := watch(t, p)
	h.heartbeatSince(time.Now())
	servertest.Exec(t, conn, `SELECT setval('wardkeeper_versions', 1); `+deactivate+` SELECT setval('wardkeeper_versions', 1000)`)
	after := version(t, p, "")
	assert.Greater(t, after, before)
	h.heartbeatSince(time.Now())
	assert.True(t, containsChange(h.changes(), pdp.UserChanged, "a", after), "%v", h.changes())
	h.forget()
	b, err := p.User(context.Background(), "b")
	require.NoError(t, err)
	servertest.Exec(t, conn, `SELECT setval('wardkeeper_versions', 1); DELETE FROM users WHERE id = 'b'; SELECT setval('wardkeeper_versions', 2000)`)
	h.heartbeatSince(time.Now())
	require.Len(t, h.changes(), 1)
	assert.Greater(t, h.changes()[0].Version, b.Version)
}

// A user with the id of a deleted user has a greater version, even if the sequence was set back before.
func TestReusedIDHasAGreaterVersion(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	b, err := p.User(context.Background(), "b")
	require.NoError(t, err)
	servertest.Exec(t, conn, `SELECT setval('wardkeeper_versions', 1); DELETE FROM users WHERE id = 'b'; INSERT INTO users (id) VALUES ('b')`)
	again, err := p.User(context.Background(), "b")
	require.NoError(t, err)
	assert.Greater(t, again.Version, b.Version)
	servertest.Exec(t, conn, `SELECT setval('wardkeeper_versions', 1000); UPDATE locations SET name = 'New' WHERE id = 'metro'`)
	before, err := p.Organization(context.Background(), "metro")
	require.NoError(t, err)
	servertest.Exec(t, conn, `CREATE TEMP TABLE kept AS SELECT * FROM locations; DELETE FROM users; SELECT setval('wardkeeper_versions', 1);
		DELETE FROM locations; INSERT INTO locations SELECT * FROM kept`)
	after, err := p.Organization(context.Background(), "metro")
	require.NoError(t, err)
	assert.Greater(t, after.Version, before.Version)
}

// The trigger functions write to tables by name. After a rename another table may have that name, and changes of the
// renamed table are not announced.
func TestRenamedTableIsUnproven(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	servertest.Exec(t, conn, `ALTER TABLE users RENAME TO accounts; CREATE VIEW users AS SELECT * FROM accounts WHERE id <> 'a'`)
	at := openOrigin(t, Config{URL: p.listenAt.url, Listen: DefaultChannel, Tables: Tables{Users: "accounts"}})
	before := version(t, at, "")
	servertest.Exec(t, conn, `UPDATE assignments SET role = 'user' WHERE location = 'metro'`)
	require.Equal(t, before, version(t, at, ""))
	h := watch(t, at)
	require.Eventually(t, func() bool { return len(h.errs()) > 0 }, fixture.Timeout, time.Millisecond)
	var unproven *membership.Unproven
	require.ErrorAs(t, h.errs()[0], &unproven)
	assert.Equal(t, []string{"table_names"}, unproven.Missing)
	assert.Zero(t, h.count("began"))
}

// A transaction that wrote while a trigger function was replaced may commit long after the function is restored.
func TestOpenTransactionsAreUnproven(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, server, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	servertest.Exec(t, conn, fakeFunction)
	late := servertest.Connect(t, p.listenAt.url)
	servertest.Exec(t, late, "BEGIN;"+deactivate)
	servertest.Exec(t, conn, impostorOut)
	h := watch(t, p)
	require.Eventually(t, func() bool { return len(h.errs()) > 1 }, fixture.Timeout, time.Millisecond)
	for _, err := range h.errs() {
		var unproven *membership.Unproven
		require.ErrorAs(t, err, &unproven)
		assert.Equal(t, []string{"open_transactions"}, unproven.Missing)
	}
	later := servertest.Connect(t, p.listenAt.url)
	servertest.Exec(t, later, "BEGIN; UPDATE users SET title = 'Dr.' WHERE id = 'b'") // this update will be announced
	assert.Zero(t, h.count("began"))
	servertest.Exec(t, late, "COMMIT")
	h.heartbeatSince(time.Now())
}

var impostorOut = shippedFunction("wardkeeper_users_written")

// shippedFunction returns the SQL of one function of the schema.
func shippedFunction(name string) string {
	_, rest, _ := strings.Cut(Schema, "CREATE OR REPLACE FUNCTION "+name)
	body, _, _ := strings.Cut(rest, "END $$;")
	return "CREATE OR REPLACE FUNCTION " + name + body + "END $$; ALTER FUNCTION " + name + " SET search_path = public, pg_temp"
}
