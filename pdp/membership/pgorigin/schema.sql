-- The tables of a directory, as Wardkeeper reads them, in the first schema of the search path. This may be run again at any time.
--
-- Versions: each record has one that only grows. A user's moves with the user's row and assignments. The version in the
-- row of a root is that of the organization's whole tree of locations, and moves with whatever is written or deleted in it.
-- Announcements: each change is told on the channel wardkeeper_changes, to whoever listens, when it is committed.
-- Wardkeeper takes silence for news that nothing has changed only while all triggers and functions are as they are here, word
-- for word, and ENABLE ALWAYS. After a restore that switched triggers off, and after an upgrade of Wardkeeper, run this again.
BEGIN;
SELECT pg_advisory_xact_lock(7091370154219340161); -- two at once would trip over each other

CREATE SEQUENCE IF NOT EXISTS wardkeeper_versions;

CREATE TABLE IF NOT EXISTS locations (
    id      text COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 1024),
    name    text,
    kind    text NOT NULL CHECK (kind IN ('region', 'division', 'facility', 'system', 'entity', 'group', 'practice', 'vendor')),
    parent  text COLLATE "C" REFERENCES locations DEFERRABLE CHECK (parent <> id),
    model   text CHECK (model IN ('regional', 'health_system', 'practice_group', 'vendor')),
    plan    text CHECK (plan IN ('free', 'paid')),
    version bigint NOT NULL DEFAULT 0, -- set by a trigger
    CONSTRAINT locations_model_of_roots CHECK ((parent IS NULL) = (model IS NOT NULL)),
    CONSTRAINT locations_plan_of_roots CHECK ((plan IS NOT NULL) = (model IS NOT NULL AND model = 'health_system'))
);

CREATE TABLE IF NOT EXISTS users (
    id               text COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 1024),
    username         text CHECK (octet_length(username) BETWEEN 1 AND 1024),
    title            text,
    given            text CHECK (octet_length(given) <= 1024),
    family           text CHECK (octet_length(family) <= 1024),
    status           text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'deactivated')),
    default_location text COLLATE "C",
    last_login       timestamptz,
    version          bigint NOT NULL DEFAULT 0 -- set by a trigger
);

CREATE TABLE IF NOT EXISTS assignments (
    user_id             text COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE DEFERRABLE,
    location            text COLLATE "C" NOT NULL REFERENCES locations DEFERRABLE,
    role                text NOT NULL CHECK (octet_length(role) BETWEEN 1 AND 1024),
    status              text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'invited', 'deactivated')),
    access              jsonb CHECK (jsonb_typeof(access) = 'object'),
    profession          text,
    registration_number text,
    PRIMARY KEY (user_id, location)
);

-- A default location is one of the user's assignments: when the transaction ends, for they are written one by one.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'users'::regclass AND conname = 'users_default_location_assigned') THEN
        ALTER TABLE users ADD CONSTRAINT users_default_location_assigned
            FOREIGN KEY (id, default_location) REFERENCES assignments (user_id, location) DEFERRABLE INITIALLY DEFERRED;
    END IF;
END $$;

CREATE INDEX IF NOT EXISTS locations_parent ON locations (parent);
CREATE INDEX IF NOT EXISTS assignments_location ON assignments (location, user_id);
-- Whoever has a role is found without looking at everybody.
CREATE INDEX IF NOT EXISTS assignments_role ON assignments (role, location);

-- Usernames and the orders of lists go by case-folded texts, usernames in NFC. The expression is full case folding in
-- Unicode's sense, made of what PostgreSQL has: it is what the server asks by, word for word, or an index would be of no use.
CREATE UNIQUE INDEX IF NOT EXISTS users_canonical_username ON users
    (normalize(translate(lower(upper(lower(translate(normalize(username::text, NFC)::text, 'ı', U&'\+10FFFE') COLLATE "und-x-icu"))), U&'\+10FFFEς', 'ıσ') COLLATE "C", NFC));
DO $$
BEGIN
    EXECUTE format('DROP INDEX IF EXISTS %I.users_folded_username', current_schema()); -- of earlier releases, without NFC
END $$;
-- The orders of lists, each with what is absent last: it counts as U+10FFFF or as '', so nobody has that. Ties go by id. Each order
-- has a small index besides, of those who are not active, so that they are found among the others.
DO $$
DECLARE
    -- Of texts that are ASCII, as most are, case folding is the lower case. PostgreSQL works a key out for each row of a list that it
    -- reads by the index.
    folded    text := $f$CASE WHEN octet_length(%1$I::text) = length(%1$I::text) THEN lower(%1$I::text COLLATE "C") ELSE translate(translate(lower(upper(lower(translate(%1$I::text, 'ı', U&'\+10FFFE') COLLATE "und-x-icu"))), U&'\+10FFFEς', 'ıσ') COLLATE "C", U&'\+10FFFF', U&'\+10FFFD') END$f$;
    list      record;
    direction text;
    keys      text;
    name      text;
BEGIN
    FOR list IN SELECT * FROM (VALUES ('name', ARRAY['family', 'given']), ('username', ARRAY['username']),
        ('default_location', ARRAY['default_location']), ('last_login', ARRAY['last_login'])) AS t(sort, names) LOOP
        FOREACH direction IN ARRAY ARRAY['ascending', 'descending'] LOOP
            IF list.sort = 'last_login' THEN
                keys := CASE direction WHEN 'ascending' THEN $f$(COALESCE(last_login, 'infinity'::timestamptz))$f$
                    ELSE $f$(COALESCE(last_login, '-infinity'::timestamptz)) DESC$f$ END;
            ELSE
                SELECT string_agg(format(CASE direction WHEN 'ascending' THEN $f$(COALESCE(NULLIF(%s, ''), U&'\+10FFFF'))$f$
                    ELSE $f$(COALESCE(NULLIF(%s, ''), '')) DESC$f$ END, format(folded, c)), ', ' ORDER BY n)
                    INTO keys FROM unnest(list.names) WITH ORDINALITY AS t(c, n);
            END IF;
            EXECUTE format('CREATE INDEX IF NOT EXISTS users_in_order_of_%s_%s ON users (%s, id)', list.sort, direction, keys);
            EXECUTE format($f$CREATE INDEX IF NOT EXISTS users_inactive_by_%s_%s ON users (%s, id) WHERE status IS DISTINCT FROM 'active'$f$,
                list.sort, direction, keys);
        END LOOP;
    END LOOP;
    CREATE INDEX IF NOT EXISTS users_inactive ON users (id) WHERE status IS DISTINCT FROM 'active';
    -- Of earlier releases, without the given name and the id, or with keys that take longer to work out.
    FOREACH name IN ARRAY ARRAY['users_family_ascending', 'users_family_descending', 'users_username_ascending', 'users_username_descending',
        'users_last_login_ascending', 'users_last_login_descending', 'users_by_name_ascending', 'users_by_name_descending',
        'users_by_username_ascending', 'users_by_username_descending', 'users_by_default_location_ascending',
        'users_by_default_location_descending', 'users_by_last_login_ascending', 'users_by_last_login_descending', 'users_status'] LOOP
        EXECUTE format('DROP INDEX IF EXISTS %I.%I', current_schema(), name);
    END LOOP;
END $$;

-- The texts in which a list is searched, folded: "given family" and the username. An index of trigrams finds them where the
-- extension pg_trgm can be had; elsewhere users are compared in the order of the list. Texts of one and two characters have an index
-- of their own, of each character and each pair of characters: the server asks by the same expression.
-- In a database with users, adding the column writes their table anew, during which nobody else can use it.
ALTER TABLE users ADD COLUMN IF NOT EXISTS wardkeeper_search text COLLATE "C" GENERATED ALWAYS AS (
    normalize(translate(lower(upper(lower(translate(normalize((CASE WHEN given::text <> '' AND family::text <> '' THEN given::text || ' ' || family::text ELSE COALESCE(given::text, '') || COALESCE(family::text, '') END)::text, NFC)::text, 'ı', U&'\+10FFFE') COLLATE "und-x-icu"))), U&'\+10FFFEς', 'ıσ') COLLATE "C", NFC)
    || E'\n' || normalize(translate(lower(upper(lower(translate(normalize(COALESCE(username::text, '')::text, NFC)::text, 'ı', U&'\+10FFFE') COLLATE "und-x-icu"))), U&'\+10FFFEς', 'ıσ') COLLATE "C", NFC)) STORED;
CREATE INDEX IF NOT EXISTS users_short_texts ON users USING gin
    (string_to_array(regexp_replace(wardkeeper_search, '(..)', E'\\1\x1f', 'g') || E'\x1f' || regexp_replace(substr(wardkeeper_search, 2), '(..)', E'\\1\x1f', 'g') || E'\x1f' || regexp_replace(wardkeeper_search, '(.)', E'\\1\x1f', 'g'), E'\x1f'));
DO $$
DECLARE
    home text;
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        BEGIN
            CREATE EXTENSION IF NOT EXISTS pg_trgm;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'whoever owns the database may create the extension pg_trgm: lists are then searched faster';
        END;
    END IF;
    SELECT n.nspname INTO home FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm';
    IF home IS NOT NULL THEN
        EXECUTE format('CREATE INDEX IF NOT EXISTS users_search ON users USING gin (wardkeeper_search %I.gin_trgm_ops)', home);
    END IF;
END $$;

-- What follows keeps versions and tells of changes.

DO $$
BEGIN
    EXECUTE format('DROP FUNCTION IF EXISTS %I.wardkeeper_tell(text, text, text, bigint)', current_schema()); -- of earlier releases
END $$;

-- A change is told as {"kind", "id", "organization", "version", "since"}, as far as it is known. since is in the last one of a version
-- of an organization: all that has changed after that earlier version has been told by now.
CREATE OR REPLACE FUNCTION wardkeeper_tell(kind text, id text DEFAULT NULL, organization text DEFAULT NULL, version bigint DEFAULT NULL, since bigint DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    payload text := jsonb_strip_nulls(jsonb_build_object('kind', kind, 'id', id, 'organization', organization, 'version', version, 'since', since));
BEGIN
    IF octet_length(payload) >= 8000 THEN -- no more goes
        payload := '{"kind": "anything"}';
    END IF;
    PERFORM pg_notify('wardkeeper_changes', payload);
END $$;

-- The row is locked by now, so that whoever writes last has the greater version, also where the sequence was set back.
CREATE OR REPLACE FUNCTION wardkeeper_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := nextval('wardkeeper_versions');
    IF TG_OP = 'UPDATE' THEN
        NEW.version := greatest(NEW.version, OLD.version + 1);
    END IF;
    RETURN NEW;
END $$;

-- A version that is greater than one that is gone, and that later ones are greater than: whoever takes an id that was deleted
-- has no row to go on from. Where the sequence was set back it is set on, by whoever may.
CREATE OR REPLACE FUNCTION wardkeeper_version_after(gone bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    later bigint := nextval('wardkeeper_versions');
BEGIN
    IF later <= gone THEN
        later := gone + 1;
        IF has_sequence_privilege('wardkeeper_versions', 'UPDATE') THEN
            PERFORM setval('wardkeeper_versions', later);
        END IF;
    END IF;
    RETURN later;
END $$;

-- Touches users in the order of their ids, so that two at once do not wait for each other. Another trigger may drop updates.
CREATE OR REPLACE FUNCTION wardkeeper_touch_users(touched text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    locked bigint;
    moved  bigint;
BEGIN
    SELECT count(*) INTO locked FROM (SELECT FROM users WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE) each;
    UPDATE users SET version = 0 WHERE id = ANY (touched);
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved < locked THEN
        PERFORM wardkeeper_tell('anything');
    END IF;
END $$;

CREATE OR REPLACE FUNCTION wardkeeper_users_written() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
    gone    bigint; -- the greatest version of what has been deleted, then one after it
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM wardkeeper_tell('anything');
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT count(*), max(version) INTO written, gone FROM before;
        IF written > 0 THEN
            gone := wardkeeper_version_after(gone);
        END IF;
    ELSE
        SELECT count(*) INTO written FROM after;
    END IF;
    IF written > 1000 THEN
        PERFORM wardkeeper_tell('anything');
    ELSIF TG_OP = 'INSERT' THEN
        -- Whoever waited for a deletion of the same id to end had its version before. The update tells of it.
        PERFORM wardkeeper_touch_users(ARRAY(SELECT id FROM after));
    ELSIF TG_OP = 'UPDATE' THEN
        PERFORM wardkeeper_tell('user', id, NULL, version) FROM after;
        PERFORM wardkeeper_tell('user', id, NULL, wardkeeper_version_after(version)) FROM before
            WHERE id NOT IN (SELECT id FROM after);
    ELSE
        PERFORM wardkeeper_tell('user', id, NULL, gone) FROM before;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION wardkeeper_assignments_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        UPDATE users SET version = 0;
        PERFORM wardkeeper_tell('anything');
    ELSIF TG_OP = 'INSERT' THEN
        PERFORM wardkeeper_touch_users(ARRAY(SELECT user_id FROM after));
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM wardkeeper_touch_users(ARRAY(SELECT user_id FROM before));
    ELSE
        PERFORM wardkeeper_touch_users(ARRAY(SELECT user_id FROM before UNION SELECT user_id FROM after));
    END IF;
    RETURN NULL;
END $$;

-- Moves the version of every organization that a location was or is in. Whoever writes beneath a location that somebody else
-- is moving waits for them at the root, and then looks again where it is.
CREATE OR REPLACE FUNCTION wardkeeper_locations_written() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed text[];  -- ids
    pairs   jsonb;   -- [location, root] of each
    waiting text[];  -- roots to be touched
    touched text[] := '{}';
    former  jsonb := '{}'; -- the version that each of them had
    parents jsonb := '{}'; -- of each location before it was written
    locked  bigint;
    moved   bigint;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM wardkeeper_tell('anything');
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        changed := ARRAY(SELECT id FROM after);
    ELSIF TG_OP = 'DELETE' THEN
        changed := ARRAY(SELECT id FROM before);
    ELSE -- a version alone is no change: it is what this function itself writes
        changed := ARRAY(
            SELECT COALESCE(b.id, a.id) FROM before b FULL JOIN after a ON a.id = b.id
            WHERE (a.id, a.name, a.kind, a.parent, a.model, a.plan) IS DISTINCT FROM (b.id, b.name, b.kind, b.parent, b.model, b.plan));
    END IF;
    IF cardinality(changed) = 0 THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN -- a root can be gone
        PERFORM wardkeeper_version_after(max(version)) FROM before;
        former := (SELECT COALESCE(jsonb_object_agg(id, version), '{}') FROM before WHERE parent IS NULL);
        parents := (SELECT COALESCE(jsonb_object_agg(id, parent), '{}') FROM before);
    END IF;
    LOOP
        pairs := '[]';
        IF TG_OP <> 'DELETE' THEN -- where they are
            pairs := pairs || (WITH RECURSIVE up(location, id, parent, depth) AS (
                SELECT l.id, l.id, l.parent, 0 FROM locations l WHERE l.id = ANY (changed)
                UNION ALL SELECT up.location, l.id, l.parent, depth + 1 FROM up JOIN locations l ON l.id = up.parent WHERE depth < 64)
                SELECT COALESCE(jsonb_agg(DISTINCT jsonb_build_array(location, id)), '[]') FROM up WHERE parent IS NULL);
        END IF;
        IF TG_OP <> 'INSERT' THEN -- where they were: each location looked up, since there can be very many
            pairs := pairs || (WITH RECURSIVE up(location, id, parent, depth) AS (
                SELECT l.id, l.id COLLATE "C", past.parent, 0 FROM unnest(changed) AS l(id) CROSS JOIN LATERAL (
                    SELECT (parents ->> l.id) COLLATE "C" AS parent WHERE parents ? l.id
                    UNION ALL SELECT p.parent FROM locations p WHERE p.id = l.id AND NOT parents ? l.id OFFSET 0) past
                UNION ALL SELECT up.location, up.parent, past.parent, depth + 1 FROM up CROSS JOIN LATERAL (
                    SELECT (parents ->> up.parent) COLLATE "C" AS parent WHERE parents ? up.parent
                    UNION ALL SELECT p.parent FROM locations p WHERE p.id = up.parent AND NOT parents ? up.parent OFFSET 0) past
                WHERE depth < 64)
                SELECT COALESCE(jsonb_agg(DISTINCT jsonb_build_array(location, id)), '[]') FROM up WHERE parent IS NULL);
        END IF;
        waiting := ARRAY(SELECT DISTINCT pair ->> 1 FROM jsonb_array_elements(pairs) pair WHERE NOT pair ->> 1 = ANY (touched));
        EXIT WHEN cardinality(waiting) = 0;
        SELECT count(*), COALESCE(jsonb_object_agg(id, version), '{}') || former INTO locked, former
            FROM (SELECT id, version FROM locations WHERE id = ANY (waiting) ORDER BY id FOR NO KEY UPDATE) each;
        UPDATE locations SET version = 0 WHERE id = ANY (waiting);
        GET DIAGNOSTICS moved = ROW_COUNT;
        IF moved < locked THEN -- another trigger has dropped it
            PERFORM wardkeeper_tell('anything');
        END IF;
        touched := touched || waiting;
    END LOOP;
    IF cardinality(changed) > 1000 THEN
        PERFORM wardkeeper_tell('anything');
        RETURN NULL;
    END IF;
    PERFORM wardkeeper_tell('location', told.location, told.root, COALESCE(told.version, nextval('wardkeeper_versions')),
            CASE WHEN told.last THEN (former ->> told.root)::bigint END)
        FROM (SELECT location, root, l.version, location = max(location) OVER (PARTITION BY root) AS last
            FROM (SELECT DISTINCT pair ->> 0 AS location, pair ->> 1 AS root FROM jsonb_array_elements(pairs) pair) each
            LEFT JOIN locations l ON l.id = root
            ORDER BY root, location) told;
    -- Without a root it hangs on itself.
    PERFORM wardkeeper_tell('location', id) FROM unnest(changed) id
        WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(pairs) pair WHERE pair ->> 0 = id);
    RETURN NULL;
END $$;

-- Where rows are applied by replication, triggers for statements do not fire.
CREATE OR REPLACE FUNCTION wardkeeper_applied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wardkeeper_tell('anything');
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER wardkeeper_version BEFORE INSERT OR UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION wardkeeper_version();
CREATE OR REPLACE TRIGGER wardkeeper_version BEFORE INSERT OR UPDATE ON locations
    FOR EACH ROW EXECUTE FUNCTION wardkeeper_version();
ALTER TABLE users ENABLE ALWAYS TRIGGER wardkeeper_version;
ALTER TABLE locations ENABLE ALWAYS TRIGGER wardkeeper_version;

-- The functions find the tables that they belong to whatever the search path of a session; and the same for each table, also
-- for a session that takes the role of a replica.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['wardkeeper_version()', 'wardkeeper_version_after(bigint)', 'wardkeeper_touch_users(text[])', 'wardkeeper_users_written()',
        'wardkeeper_assignments_written()', 'wardkeeper_locations_written()', 'wardkeeper_applied()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
    FOREACH name IN ARRAY ARRAY['users', 'assignments', 'locations'] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER wardkeeper_inserted AFTER INSERT ON %I
            REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION wardkeeper_%s_written()', name, name);
        EXECUTE format('CREATE OR REPLACE TRIGGER wardkeeper_updated AFTER UPDATE ON %I
            REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION wardkeeper_%s_written()', name, name);
        EXECUTE format('CREATE OR REPLACE TRIGGER wardkeeper_deleted AFTER DELETE ON %I
            REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION wardkeeper_%s_written()', name, name);
        EXECUTE format('CREATE OR REPLACE TRIGGER wardkeeper_emptied AFTER TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION wardkeeper_%s_written()', name, name);
        EXECUTE format('CREATE OR REPLACE TRIGGER wardkeeper_applied AFTER INSERT OR UPDATE OR DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION wardkeeper_applied()', name);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER wardkeeper_inserted, ENABLE ALWAYS TRIGGER wardkeeper_updated,
            ENABLE ALWAYS TRIGGER wardkeeper_deleted, ENABLE ALWAYS TRIGGER wardkeeper_emptied,
            ENABLE REPLICA TRIGGER wardkeeper_applied', name);
    END LOOP;
END $$;
COMMIT;
