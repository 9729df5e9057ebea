-- How far a city's log reached and what its root was then, for the provenance of public answers: one statement gives an
-- answer and the roots of all cities that it depends on.
--
-- Both look into one city's log as any reader may who sets that city first, and leave the session as it was; nothing
-- is granted beyond that, and they give out nothing but size and root.

-- The root of a log's first so many entries (RFC 6962 §2.1), NULL where it has fewer.
CREATE FUNCTION log_root(log uuid, size bigint) RETURNS bytea LANGUAGE plpgsql STABLE AS $body$
DECLARE
  served text := coalesce(current_setting('kyodo.tenant', true), '');
  seen   text;
  found  bytea;
BEGIN
  IF size = 0 THEN
    RETURN sha256('');
  END IF;
  -- Assigned and not performed: that would be a query of its own, at several times the cost.
  seen := set_config('kyodo.tenant', log::text, true);
  found := (SELECT e.root FROM event e WHERE e.tenant_id = log AND e.position = size);
  seen := set_config('kyodo.tenant', served, true);
  RETURN found;
END
$body$;

-- How many of a log's first `most` entries were recorded by a moment. Times never decrease along a log, so that halving
-- the range finds the last one.
CREATE FUNCTION log_size(log uuid, most bigint, moment timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $body$
DECLARE
  served   text := coalesce(current_setting('kyodo.tenant', true), '');
  recorded bigint := 0;
  later    bigint := most + 1;
  middle   bigint;
  seen     text;
BEGIN
  seen := set_config('kyodo.tenant', log::text, true);
  WHILE later - recorded > 1 LOOP
    middle := (recorded + later) / 2;
    IF (SELECT e.recorded_at <= moment FROM event e WHERE e.tenant_id = log AND e.position = middle) THEN
      recorded := middle;
    ELSE
      later := middle;
    END IF;
  END LOOP;
  seen := set_config('kyodo.tenant', served, true);
  RETURN recorded;
END
$body$;

CALL with_roles('GRANT EXECUTE ON FUNCTION log_root(uuid, bigint), log_size(uuid, bigint, timestamptz) TO {reader}');
