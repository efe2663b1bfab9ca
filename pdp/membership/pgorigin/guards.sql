-- Keeps the rules that changes can break together (policies/DOMAIN.md), in the transaction that writes, whoever it is. It needs
-- the tables of "wardkeeper directory schema" in the first schema of the search path, and may be run again at any time.
--
-- A transaction that would break a rule ends with the SQLSTATE 23514 (check_violation), or 23505 for two roles at one
-- location. The CONSTRAINT field of the error is the code of the reason that the decision would have, and DETAIL has the rule:
--   only_location     REG-I2  a user of a region is left without an assignment there
--   default_location  REG-I3  the default location is left without an assignment, or a user of a region without a default
--   not_assigned      REG-I4  the new default location is none of the user's assignments
--   self              ALL-9   an organization is left without an administrator
--   already_assigned  ALL-6   two roles of one user at one location (SQLSTATE 23505)
-- They are judged when the transaction ends, so that it may write in any order; SET CONSTRAINTS ALL IMMEDIATE judges before.
-- TRUNCATE, rows applied by replication, and triggers that are switched off are not judged.
BEGIN;
SELECT pg_advisory_xact_lock(7091370154219340161); -- that of the schema

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'assignments'::regclass AND conname = 'assignments_pkey') THEN
        ALTER TABLE assignments RENAME CONSTRAINT assignments_pkey TO already_assigned;
    END IF;
END $$;

-- Whoever takes an administrator from an organization waits here for others who do, and fails if they were not seen (REPEATABLE
-- READ). A lock of the organization's root would let the latter through, and an update would move its version.
CREATE TABLE IF NOT EXISTS wardkeeper_guards (
    organization text COLLATE "C" PRIMARY KEY,
    judged       bigint NOT NULL
);

-- Who counts as an administrator of an organization, at a location of a kind. Change it with the policy's tables.
CREATE OR REPLACE FUNCTION wardkeeper_administers(kind text, role text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT (kind, role) IN (('region', 'regional_admin'), ('system', 'system_admin'), ('system', 'entity_admin'),
        ('entity', 'entity_admin'), ('group', 'owner'));
$$;

CREATE OR REPLACE FUNCTION wardkeeper_root(location text) RETURNS locations LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up(id, parent, depth) AS (
        SELECT l.id, l.parent, 0 FROM locations l WHERE l.id = location
        UNION ALL SELECT l.id, l.parent, depth + 1 FROM up JOIN locations l ON l.id = up.parent WHERE depth < 64)
    SELECT l FROM locations l JOIN up USING (id) WHERE up.parent IS NULL;
$$;

CREATE OR REPLACE FUNCTION wardkeeper_beneath(root text) RETURNS SETOF locations LANGUAGE sql STABLE AS $$
    WITH RECURSIVE down(id, depth) AS (
        SELECT l.id, 0 FROM locations l WHERE l.id = root
        UNION ALL SELECT l.id, depth + 1 FROM down JOIN locations l ON l.parent = down.id WHERE depth < 64)
    SELECT l.* FROM locations l JOIN down USING (id);
$$;

CREATE OR REPLACE FUNCTION wardkeeper_refuse(code text, detail text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = code, DETAIL = detail,
        MESSAGE = 'this would break a rule: ' || code;
END $$;

-- An administrator is gone from where this location is: another one has to be left in the organization.
CREATE OR REPLACE FUNCTION wardkeeper_guard_administrators(location text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    root locations := wardkeeper_root(location);
BEGIN
    IF root.id IS NULL THEN -- the organization is gone
        RETURN;
    END IF;
    INSERT INTO wardkeeper_guards VALUES (root.id, 1)
        ON CONFLICT (organization) DO UPDATE SET judged = wardkeeper_guards.judged + 1;
    PERFORM FROM wardkeeper_beneath(root.id) l
        JOIN assignments a ON a.location = l.id AND a.status = 'active' AND wardkeeper_administers(l.kind, a.role)
        JOIN users u ON u.id = a.user_id AND u.status = 'active';
    IF NOT FOUND THEN
        PERFORM wardkeeper_refuse('self', 'ALL-9: an organization would have no administrator left.');
    END IF;
END $$;

CREATE OR REPLACE FUNCTION wardkeeper_guard_assignments() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person users;
    at     locations;
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT * INTO person FROM users WHERE id = NEW.user_id;
        IF person.id IS NOT NULL AND person.default_location IS NULL AND (wardkeeper_root(NEW.location)).model = 'regional'
            AND EXISTS (SELECT FROM assignments WHERE user_id = NEW.user_id AND location = NEW.location) THEN
            PERFORM wardkeeper_refuse('default_location', 'REG-I3: a user of a region would have no default location.');
        END IF;
    END IF;
    IF TG_OP = 'INSERT' THEN
        RETURN NULL;
    END IF;
    SELECT * INTO person FROM users WHERE id = OLD.user_id;
    IF FOUND AND NOT EXISTS (SELECT FROM assignments WHERE user_id = OLD.user_id AND location = OLD.location) THEN
        at := wardkeeper_root(OLD.location);
        IF at.model = 'regional' AND NOT EXISTS (SELECT FROM assignments a JOIN wardkeeper_beneath(at.id) l ON l.id = a.location
            WHERE a.user_id = OLD.user_id) THEN
            PERFORM wardkeeper_refuse('only_location', 'REG-I2: a user would have no location left.');
        END IF;
        IF person.default_location = OLD.location THEN
            PERFORM wardkeeper_refuse('default_location', 'REG-I3: a default location would have no assignment left.');
        END IF;
    END IF;
    SELECT * INTO at FROM locations WHERE id = OLD.location;
    IF OLD.status = 'active' AND wardkeeper_administers(at.kind, OLD.role) THEN
        PERFORM wardkeeper_guard_administrators(OLD.location);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION wardkeeper_guard_users() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person users;
    place  text;
BEGIN
    SELECT * INTO person FROM users WHERE id = NEW.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF person.default_location IS NULL THEN
        PERFORM FROM assignments a WHERE a.user_id = NEW.id AND (wardkeeper_root(a.location)).model = 'regional';
        IF FOUND THEN
            PERFORM wardkeeper_refuse('default_location', 'REG-I3: a user of a region would have no default location.');
        END IF;
    ELSIF NOT EXISTS (SELECT FROM assignments WHERE user_id = NEW.id AND location = person.default_location) THEN
        PERFORM wardkeeper_refuse('not_assigned', 'REG-I4: the default location is none of the user''s assignments.');
    END IF;
    IF TG_OP = 'UPDATE' AND person.status <> 'active' THEN
        FOR place IN SELECT a.location FROM assignments a JOIN locations l ON l.id = a.location
            WHERE a.user_id = NEW.id AND a.status = 'active' AND wardkeeper_administers(l.kind, a.role) LOOP
            PERFORM wardkeeper_guard_administrators(place);
        END LOOP;
    END IF;
    RETURN NULL;
END $$;

-- They find the tables that they belong to whatever the search path of a session, and write as the owner of the tables. Triggers
-- fire in the order of their names: before those of foreign keys (RI_...), whose errors have no code.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['wardkeeper_administers(text, text)', 'wardkeeper_root(text)', 'wardkeeper_beneath(text)',
        'wardkeeper_refuse(text, text)', 'wardkeeper_guard_administrators(text)', 'wardkeeper_guard_assignments()', 'wardkeeper_guard_users()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
    ALTER FUNCTION wardkeeper_guard_assignments() SECURITY DEFINER;
    ALTER FUNCTION wardkeeper_guard_users() SECURITY DEFINER;
END $$;
DROP TRIGGER IF EXISTS "GUARD_assignments" ON assignments;
DROP TRIGGER IF EXISTS "GUARD_users_inserted" ON users;
DROP TRIGGER IF EXISTS "GUARD_users_updated" ON users;
CREATE CONSTRAINT TRIGGER "GUARD_assignments" AFTER INSERT OR UPDATE OR DELETE ON assignments
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wardkeeper_guard_assignments();
CREATE CONSTRAINT TRIGGER "GUARD_users_inserted" AFTER INSERT ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.default_location IS NOT NULL) EXECUTE FUNCTION wardkeeper_guard_users();
CREATE CONSTRAINT TRIGGER "GUARD_users_updated" AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((NEW.status, NEW.default_location) IS DISTINCT FROM (OLD.status, OLD.default_location))
    EXECUTE FUNCTION wardkeeper_guard_users();
COMMIT;
