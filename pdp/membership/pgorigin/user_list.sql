-- The view that the filter authz/filters/user_list is about: a row for each user and each location that covers one of the user's
-- assignments. An application with a large directory makes a table of it, and keeps that as it keeps the tables.
CREATE OR REPLACE VIEW users_covered AS
WITH RECURSIVE covering(location, covered_by) AS (
    SELECT id, id FROM locations
    UNION -- not UNION ALL: a cycle of locations must end
    SELECT covering.location, locations.parent FROM covering JOIN locations ON locations.id = covering.covered_by
    WHERE locations.parent IS NOT NULL
)
SELECT DISTINCT users.*, covering.covered_by
FROM users JOIN assignments ON assignments.user_id = users.id JOIN covering ON covering.location = assignments.location;
