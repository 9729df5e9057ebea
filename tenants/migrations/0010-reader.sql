-- What the public may ask for takes five seconds at most and changes nothing, whoever writes the statement.
-- A login that an administrator made may be his alone to alter: then he sets both, as `kyodo doctor` says.

DO $$
BEGIN
  EXECUTE format('ALTER ROLE %I SET statement_timeout = ''5s''', role_name('reader'));
  EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', role_name('reader'));
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'not allowed to alter %', role_name('reader');
END
$$;
