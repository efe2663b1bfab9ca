package pgorigin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// evidence is the state, in one snapshot, of everything that a listening connection depends on. If nothing is missing
// and nothing has changed since the previous evidence, it proves that every write is announced.
type evidence struct {
	history string
	// fingerprint identifies the state of everything that makes writes announce themselves. Any alteration changes it, even
	// one that was undone.
	fingerprint string
	missing     []string
	versions    *int64 // last value of the version sequence; nil if there is none or it may not be read
}

// errChanged means that writes may have been missed since evidence was last collected. The channel now works again.
var errChanged = errors.New("the tables, their triggers or the server were altered: all records are fetched again")

// checkUnchanged returns an error if anything was altered since earlier was collected.
func (f evidence) checkUnchanged(earlier evidence) error {
	back := f.versions != nil && earlier.versions != nil && *f.versions < *earlier.versions
	if f.history != earlier.history || f.fingerprint != earlier.fingerprint || back {
		return errChanged
	}
	return nil
}

// advice says, for each name in [membership.Unproven], what is wrong and what to do.
var advice = map[string]string{
	"pooled_connection": "a pooler on the way keeps notifications back: name an address of the database itself " +
		"in membership.postgres.listen_url",
	"standby":           "the server is a standby, which delivers no notifications: name the primary",
	"table_kind":        "a table is missing, or is a view, a partitioned or a foreign table, where triggers do not see all writes",
	"table_names":       "the trigger functions write to users, assignments and locations in one schema, but the settings name other tables",
	"rules":             "a table has a rule, which can rewrite writes so that triggers do not see them: use a trigger",
	"inheritance":       "a table is a partition or part of an inheritance tree, so that its rows can be written through another table",
	"replication":       "a subscription (logical replication) fills a table, which changes no versions: read and listen at the publisher",
	"row_security":      "a table has row security, so that rows appear and disappear without being written, and triggers do not see all rows",
	"column_types":      "a column has a type whose output can change without a write, such as an enumeration that can be renamed or a type that depends on settings: use text",
	"triggers":          "a table does not have exactly the triggers that wardkeeper directory schema prints, all of them ENABLE ALWAYS: run that again",
	"other_triggers":    "another trigger BEFORE INSERT or UPDATE comes after wardkeeper_version and can undo it: name it to come before that",
	"trigger_functions": "the functions of the triggers are not those that wardkeeper directory schema prints: run that again",
	"open_transactions": "open transactions may have written before all triggers were in place: wait until they end",
}

func unproven(missing []string) *membership.Unproven {
	var reasons []string
	for _, one := range missing {
		reasons = append(reasons, advice[one])
	}
	return &membership.Unproven{Missing: missing, Reason: "not every change of the database is announced, so facts expire by age: " +
		strings.Join(reasons, "; ") + `. (Set membership.postgres.listen to "" to stop listening.)`}
}

// collectEvidence reads the evidence from the database.
func (p *Origin) collectEvidence(ctx context.Context, conn *pgx.Conn, mode pgx.QueryExecMode) (f evidence, err error) {
	var pid uint32
	var standby bool
	var missing []string
	if err := conn.QueryRow(ctx, p.evidenceQuery, mode).Scan(&pid, &standby, &f.history, &f.versions, &f.fingerprint, &missing); err != nil {
		return f, err
	}
	if pid != conn.PgConn().PID() {
		f.missing = append(f.missing, "pooled_connection")
	}
	if standby {
		f.missing = append(f.missing, "standby")
	}
	f.missing = append(f.missing, missing...)
	return f, nil
}

// openWriters returns the open transactions that may have written to the tables.
func (p *Origin) openWriters(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, fmt.Sprintf(`SELECT DISTINCT virtualtransaction FROM pg_locks WHERE granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND relation = ANY (ARRAY[to_regclass(%s), to_regclass(%s), to_regclass(%s)]::oid[])
		AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`,
		literal(p.tables.users), literal(p.tables.assignments), literal(p.tables.locations)))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// baseline is the evidence collected last, across connections. Transactions that were open when the first evidence was
// collected may have written before the triggers existed: not every write is announced until they have ended.
type baseline struct {
	evidence
	open []string
}

// checkOpenTransactions takes the first evidence of a connection. It fails while transactions from before the baseline
// are open.
func (p *Origin) checkOpenTransactions(ctx context.Context, conn *pgx.Conn, f evidence, e *baseline) error {
	same := f.checkUnchanged(e.evidence) == nil
	e.evidence = f
	if p.announced || same && len(e.open) == 0 {
		return nil
	}
	open, err := p.openWriters(ctx, conn)
	if err != nil {
		return err
	}
	if same {
		open = slices.DeleteFunc(open, func(one string) bool { return !slices.Contains(e.open, one) })
	}
	if e.open = open; len(open) > 0 {
		return unproven([]string{"open_transactions"})
	}
	return nil
}

// evidenceQuery returns the query for [evidence]. If every change is announced by other means, it only checks the server
// and its history.
func (t tables) evidenceQuery(announced bool) string {
	if announced {
		return fmt.Sprintf("SELECT pg_backend_pid(), pg_is_in_recovery(), %s, NULL::bigint, '', NULL::text[]", t.history(false))
	}
	return strings.NewReplacer(
		"{users}", literal(t.users), "{assignments}", literal(t.assignments), "{locations}", literal(t.locations), "{versions}", literal(t.versions),
		"{history}", t.history(false), "{functions}", shippedFunctions,
	).Replace(`WITH t AS (
  SELECT n.kind, c.* FROM (VALUES ('users', to_regclass({users})), ('assignments', to_regclass({assignments})), ('locations', to_regclass({locations}))) n(kind, oid)
  JOIN pg_class c ON c.oid = n.oid),
sequence AS (SELECT c.* FROM pg_class c WHERE c.oid = to_regclass({versions})),
every(kind) AS (VALUES ('users'), ('assignments'), ('locations')),
-- bits of tgtype: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate
shipped(kind, name, type, enabled, function, old, new) AS (
  SELECT kind, 'wardkeeper_version', 23, 'A', 'wardkeeper_version', NULL, NULL FROM every WHERE kind <> 'assignments'
  UNION ALL SELECT kind, 'wardkeeper_inserted', 4, 'A', 'wardkeeper_' || kind || '_written', NULL, 'after' FROM every
  UNION ALL SELECT kind, 'wardkeeper_updated', 16, 'A', 'wardkeeper_' || kind || '_written', 'before', 'after' FROM every
  UNION ALL SELECT kind, 'wardkeeper_deleted', 8, 'A', 'wardkeeper_' || kind || '_written', 'before', NULL FROM every
  UNION ALL SELECT kind, 'wardkeeper_emptied', 32, 'A', 'wardkeeper_' || kind || '_written', NULL, NULL FROM every
  UNION ALL SELECT kind, 'wardkeeper_applied', 29, 'R', 'wardkeeper_applied', NULL, NULL FROM every),
function(name, hash, language, arguments) AS (VALUES {functions}),
f AS (SELECT p.*, p.xmin AS moved FROM pg_proc p WHERE p.pronamespace = (SELECT relnamespace FROM t WHERE kind = 'users') AND p.proname IN (SELECT name FROM function)),
g AS (SELECT t.kind, g.*, g.xmin AS moved FROM t JOIN pg_trigger g ON g.tgrelid = t.oid),
used(kind, name) AS (
  SELECT 'users', unnest(ARRAY['id', 'username', 'title', 'given', 'family', 'status', 'default_location', 'last_login', 'version'])
  UNION ALL SELECT 'assignments', unnest(ARRAY['user_id', 'location', 'role', 'status', 'access', 'profession', 'registration_number'])
  UNION ALL SELECT 'locations', unnest(ARRAY['id', 'name', 'kind', 'parent', 'model', 'plan', 'version'])),
a AS (
  SELECT a.attrelid, a.attnum, a.attgenerated, a.xmin AS moved, u.name IS NOT NULL AS used, COALESCE(NULLIF(y.typbasetype, 0), y.oid) AS type
  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
  LEFT JOIN used u ON u.kind = t.kind AND u.name = a.attname
  LEFT JOIN pg_type y ON y.oid = a.atttypid)
SELECT pg_backend_pid(), pg_is_in_recovery(), {history},
  (SELECT CASE WHEN has_sequence_privilege(oid, 'SELECT, USAGE') THEN pg_sequence_last_value(oid) END FROM sequence WHERE relkind = 'S'),
  concat_ws(';',
    (SELECT string_agg(concat_ws(' ', kind, oid, relfilenode, t.moved), ',' ORDER BY kind) FROM (SELECT t.*, c.xmin AS moved FROM t JOIN pg_class c USING (oid)) t),
    (SELECT string_agg(concat_ws(' ', n.oid, n.xmin), ',' ORDER BY n.oid) FROM pg_namespace n WHERE n.oid IN (SELECT relnamespace FROM t)),
    (SELECT concat_ws(' ', s.oid, s.relfilenode, c.xmin) FROM sequence s JOIN pg_class c USING (oid)),
    (SELECT string_agg(concat_ws(' ', oid, moved), ',' ORDER BY oid) FROM g),
    (SELECT string_agg(concat_ws(' ', oid, moved), ',' ORDER BY oid) FROM f),
    (SELECT string_agg(concat_ws(' ', attnum, moved), ',' ORDER BY attrelid, attnum) FROM a)),
  array_remove(ARRAY[
    CASE WHEN (SELECT count(*) FROM t WHERE relkind = 'r') <> 3 THEN 'table_kind' END,
    CASE WHEN EXISTS (SELECT FROM t WHERE relispartition OR EXISTS (SELECT FROM pg_inherits i WHERE t.oid IN (i.inhrelid, i.inhparent))) THEN 'inheritance' END,
    CASE WHEN EXISTS (SELECT FROM t JOIN pg_subscription_rel s ON s.srrelid = t.oid) THEN 'replication' END,
    CASE WHEN EXISTS (SELECT FROM t WHERE relrowsecurity) THEN 'row_security' END,
    CASE WHEN EXISTS (SELECT FROM a WHERE used AND (attgenerated = 'v'
      OR type <> ALL ('{text,varchar,bpchar,name,int2,int4,int8,numeric,uuid,timestamptz,json,jsonb}'::regtype[])
      AND NOT EXISTS (SELECT FROM pg_cast c WHERE c.castsource = type AND c.casttarget = 'text'::regtype AND c.castmethod = 'b'))) THEN 'column_types' END,
    CASE WHEN (SELECT count(*) FROM shipped) <> (SELECT count(*) FROM shipped s JOIN g ON (g.kind, g.tgname) = (s.kind, s.name)
      JOIN f ON f.oid = g.tgfoid AND f.proname = s.function JOIN t ON t.oid = g.tgrelid AND t.relhastriggers
      WHERE g.tgtype = s.type AND g.tgenabled = s.enabled::"char" AND g.tgconstraint = 0 AND g.tgqual IS NULL AND g.tgnargs = 0
      AND g.tgattr = '' AND g.tgparentid = 0 AND NOT g.tgdeferrable AND g.tgoldtable IS NOT DISTINCT FROM s.old AND g.tgnewtable IS NOT DISTINCT FROM s.new) THEN 'triggers' END,
    CASE WHEN EXISTS (SELECT FROM g WHERE kind <> 'assignments' AND tgtype & 3 = 3 AND tgtype & 20 <> 0 AND tgname > 'wardkeeper_version' AND tgenabled <> 'D') THEN 'other_triggers' END,
    CASE WHEN (SELECT count(*) FROM f) <> (SELECT count(*) FROM function) OR (SELECT count(*) FROM function) <> (
      SELECT count(*) FROM f JOIN function s ON s.name = f.proname JOIN pg_language l ON l.oid = f.prolang JOIN pg_namespace n ON n.oid = f.pronamespace
      WHERE encode(sha256(convert_to(f.prosrc, 'UTF8')), 'hex') = s.hash AND l.lanname = s.language AND f.prokind = 'f' AND NOT f.prosecdef AND NOT f.proisstrict
      AND pg_get_function_arguments(f.oid) = s.arguments
      AND (f.proname = 'wardkeeper_tell' AND f.proconfig IS NULL
        OR f.proname <> 'wardkeeper_tell' AND f.proconfig = ARRAY['search_path=' || quote_ident(n.nspname) || ', pg_temp'])) THEN 'trigger_functions' END,
    CASE WHEN EXISTS (SELECT FROM t WHERE relname <> kind OR relnamespace <> (SELECT relnamespace FROM t WHERE kind = 'users')) THEN 'table_names' END,
    CASE WHEN EXISTS (SELECT FROM t JOIN pg_rewrite r ON r.ev_class = t.oid WHERE t.relkind = 'r') THEN 'rules' END], NULL)`)
}

// shippedFunctions lists name, hash of the body, language and arguments of the functions in [Schema].
var shippedFunctions = functionsOf(Schema)

var nullDefault = regexp.MustCompile(`(\w+) DEFAULT NULL`)

func functionsOf(schema string) string {
	var all []string
	for _, one := range strings.Split(schema, "CREATE OR REPLACE FUNCTION ")[1:] {
		head, rest, _ := strings.Cut(one, "$$")
		body, _, _ := strings.Cut(rest, "$$")
		name, rest, _ := strings.Cut(head, "(")
		arguments, rest, _ := strings.Cut(rest, ")")
		_, language, _ := strings.Cut(rest, "LANGUAGE ")
		hash := sha256.Sum256([]byte(body))
		all = append(all, fmt.Sprintf("(%s, '%s', %s, %s)", literal(name), hex.EncodeToString(hash[:]), literal(strings.Fields(language)[0]),
			literal(nullDefault.ReplaceAllString(arguments, "$1 DEFAULT NULL::$1"))))
	}
	return strings.Join(all, ", ")
}
