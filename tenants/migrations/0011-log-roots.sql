-- How far a city's log reached and what its root was then, for the provenance of public answers: one statement gives an
-- answer and the roots of all cities that it depends on.
--
-- Both look into the log of one city, as any reader may who sets the city first; nothing is granted beyond that. What
-- they set ends with them, since the functions say so themselves (SET), and they give out nothing but size and root.

-- The root of a log's first so many entries (RFC 6962 §2.1), NULL where it has fewer.
CREATE FUNCTION log_root(log uuid, size bigint) RETURNS bytea
LANGUAGE plpgsql STABLE SET kyodo.tenant = '' AS $body$
BEGIN
  IF size = 0 THEN
    RETURN sha256('');
  END IF;
  PERFORM set_config('kyodo.tenant', log::text, true);
  RETURN (SELECT e.root FROM event e WHERE e.tenant_id = log AND e.position = size);
END
$body$;

-- How many of a log's first `most` entries were recorded by a moment. Times never decrease along a log, so that halving
-- the range finds the last one.
CREATE FUNCTION log_size(log uuid, most bigint, moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET kyodo.tenant = '' AS $body$
DECLARE
  recorded bigint := 0;
  later    bigint := most + 1;
  middle   bigint;
BEGIN
  PERFORM set_config('kyodo.tenant', log::text, true);
  WHILE later - recorded > 1 LOOP
    middle := (recorded + later) / 2;
    IF (SELECT e.recorded_at <= moment FROM event e WHERE e.tenant_id = log AND e.position = middle) THEN
      recorded := middle;
    ELSE
      later := middle;
    END IF;
  END LOOP;
  RETURN recorded;
END
$body$;

CALL with_roles('GRANT EXECUTE ON FUNCTION log_root(uuid, bigint), log_size(uuid, bigint, timestamptz) TO {reader}');
