-- The four logins of the service, and the one way in which a migration names them.
--
-- PostgreSQL's roles belong to the whole cluster, so their names carry a prefix: the name of the database, or what
-- the setting kyodo.role_prefix said when this file was applied. role_name() keeps it from then on.

-- A new function is nobody's to call until it is granted.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

DO $do$
DECLARE
  prefix text := coalesce(nullif(current_setting('kyodo.role_prefix', true), ''), current_database());
BEGIN
  EXECUTE format(
    'CREATE FUNCTION role_name(role text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT %L || role $$',
    prefix || '_');
END
$do$;

-- Runs one statement in which {app}, {projector}, {reader} and {auditor} stand for this database's roles.
CREATE PROCEDURE with_roles(statement text) LANGUAGE plpgsql AS $body$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['app', 'projector', 'reader', 'auditor'] LOOP
    statement := replace(statement, '{' || role || '}', quote_ident(role_name(role)));
  END LOOP;
  EXECUTE statement;
END
$body$;

-- Whoever administers the cluster may have created the logins beforehand; then nothing is left to do here.
DO $do$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['app', 'projector', 'reader', 'auditor'] LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role_name(role));
    BEGIN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', role_name(role));
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- Another database with the same prefix was quicker.
    END;
  END LOOP;
END
$do$;

-- Databases that came through an upgrade from before PostgreSQL 15 still let everyone create objects here.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

CALL with_roles('GRANT USAGE ON SCHEMA public TO {app}, {projector}, {reader}, {auditor}');

-- Every process of the service asks at its start whether the schema is the one that it was written for.
CALL with_roles('GRANT SELECT ON _yoyo_migration TO {app}, {projector}, {reader}, {auditor}');
