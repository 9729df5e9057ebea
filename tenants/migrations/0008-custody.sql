-- Custody: closed values are read through one function that keeps account of it, the keys of subjects can be wrapped by
-- another version of their city's key, and a record that is disposed of loses its texts.

-- Which version of the city's key wraps this one.
ALTER TABLE subject_key ADD COLUMN key_version int NOT NULL DEFAULT 1;

-- What a login may read of the disclosures: what everybody may. Everything else goes through disclose() below, and only
-- append_events_with_effects() and the owner take anything away.
CALL with_roles('REVOKE DELETE ON disclosure, subject_key FROM {app}');
CALL with_roles('GRANT SELECT ON disclosure, subject_key TO {reader}');
CALL with_roles(
  'CREATE POLICY published ON disclosure AS RESTRICTIVE FOR SELECT TO {app}, {projector}, {reader}, {auditor}
     USING (visibility = ''PUBLIC'' AND embargo IS NULL)');

-- Who was given which closed value, and what for. Numbered without gaps in each city; no login may change it.
CREATE TABLE access_log (
  tenant_id  uuid NOT NULL,
  number     bigint NOT NULL,
  at         timestamptz NOT NULL,
  reader     text NOT NULL,
  level      text NOT NULL,
  party      uuid,
  purpose    text NOT NULL,
  login      text NOT NULL,
  entered_in xid8 NOT NULL,
  stream_id  uuid NOT NULL,
  position   bigint NOT NULL,
  digest     text NOT NULL,
  visibility text NOT NULL,
  embargo    text,
  PRIMARY KEY (tenant_id, number)
);

ALTER TABLE access_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_log FORCE ROW LEVEL SECURITY;
CREATE POLICY own_city ON access_log USING (tenant_id = current_tenant());
CALL with_roles('GRANT SELECT ON access_log TO {auditor}');

-- A reader asks for the closed values of this level: each of them that is there is entered in the access log. They are
-- handed over by disclose() once the entries are committed, so that no rollback leaves a value without its entry.
-- Returns the numbers of the entries, nothing where there is no such value. The session has the tenant set.
--
--   p_level    PARTY, CITY or PERSONAL: that visibility and those below it. PARTY needs p_party, and reaches only the
--              streams whose log names that party. What waits for a decision opens to CITY and PERSONAL, who have to
--              review it; an evaluation opens to nobody before both are shared.
--   p_streams  of these streams, NULL for all; p_after < position <= p_until
--   p_leaving  the city leaves and takes everything along, evaluations too; PERSONAL only
--
-- Errors: KY008 session of another tenant, KY010 who or what for is not said, KY011 no such level.
CREATE FUNCTION enter_access(
  p_tenant uuid, p_reader text, p_purpose text, p_level text, p_party uuid, p_streams uuid[],
  p_after bigint, p_until bigint, p_leaving boolean,
  OUT first_number bigint, OUT last_number bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
  levels CONSTANT text[] := ARRAY['PUBLIC', 'PARTY', 'CITY', 'PERSONAL'];
  reach  int := array_position(levels, p_level);
  logged bigint;
BEGIN
  IF current_tenant() IS DISTINCT FROM p_tenant THEN
    RAISE EXCEPTION 'the session serves tenant %, not %', current_tenant(), p_tenant USING ERRCODE = 'KY008';
  END IF;
  IF coalesce(btrim(p_reader), '') = '' OR coalesce(btrim(p_purpose), '') = '' THEN
    RAISE EXCEPTION 'closed values are read by somebody for a purpose; name both' USING ERRCODE = 'KY010';
  END IF;
  IF reach IS NULL OR reach = 1 OR (p_level = 'PARTY') <> (p_party IS NOT NULL) OR (p_leaving AND p_level <> 'PERSONAL')
  THEN
    RAISE EXCEPTION 'there is no level % with that party and scope', p_level USING ERRCODE = 'KY011';
  END IF;
  -- The numbers have no gaps: whoever reads next waits for the commit.
  PERFORM pg_advisory_xact_lock(hashtextextended('access log of ' || p_tenant, 0));
  SELECT coalesce(max(l.number), 0) INTO logged FROM access_log l WHERE l.tenant_id = p_tenant;
  WITH entered AS (
    INSERT INTO access_log
    SELECT p_tenant, logged + row_number() OVER (ORDER BY d.position, d.digest), clock_timestamp(), p_reader, p_level,
           p_party, p_purpose, session_user, pg_current_xact_id(), d.stream_id, d.position, d.digest, d.visibility,
           d.embargo
      FROM disclosure d JOIN subject_key k ON k.tenant_id = d.tenant_id AND k.subject = d.subject
     WHERE d.tenant_id = p_tenant
       AND (p_streams IS NULL OR d.stream_id = ANY(p_streams))
       AND d.position > p_after AND d.position <= p_until
       AND NOT (d.visibility = 'PUBLIC' AND d.embargo IS NULL)
       AND array_position(levels, d.visibility) <= reach
       AND (d.embargo IS NULL OR p_leaving OR (d.embargo LIKE 'DECISION/%' AND p_level <> 'PARTY'))
       AND (p_party IS NULL OR EXISTS (
         SELECT FROM event e WHERE e.tenant_id = p_tenant AND e.stream_id = d.stream_id
            AND strpos(convert_from(e.state, 'UTF8'), p_party::text) > 0))
    RETURNING number
  )
  SELECT min(number), max(number) INTO first_number, last_number FROM entered;
END
$body$;

CALL with_roles('GRANT EXECUTE ON FUNCTION enter_access TO {app}');

-- The closed values of committed entries of the access log, still sealed, each with its wrapped key: of entries of this
-- very transaction none, and none of those that are older than five minutes. What was destroyed since is left out.
CREATE FUNCTION disclose(p_tenant uuid, p_first bigint, p_last bigint) RETURNS TABLE (
  "position" bigint, digest text, visibility text, embargo text, subject text, sealed bytea, wrapped_key bytea,
  key_version int
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT d.position, d.digest, d.visibility, d.embargo, d.subject, d.sealed, k.wrapped_key, k.key_version
    FROM access_log l
    JOIN disclosure d ON d.tenant_id = l.tenant_id AND d.digest = l.digest
    JOIN subject_key k ON k.tenant_id = d.tenant_id AND k.subject = d.subject
   WHERE l.tenant_id = p_tenant AND l.number BETWEEN p_first AND p_last
     AND l.entered_in IS DISTINCT FROM pg_current_xact_id_if_assigned()
     AND l.login = session_user AND l.at > clock_timestamp() - interval '5 minutes'
   ORDER BY l.number;
END
$body$;

CALL with_roles('GRANT EXECUTE ON FUNCTION disclose TO {app}');

-- Where texts lie and how closed they are, of closed ones too; never what they say.
CREATE FUNCTION disclosure_places(
  p_tenant uuid, p_streams uuid[] DEFAULT NULL, p_subject text DEFAULT NULL, p_digest text DEFAULT NULL
) RETURNS TABLE (
  digest text, stream_id uuid, "position" bigint, subject text, visibility text, embargo text
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT d.digest, d.stream_id, d.position, d.subject, d.visibility, d.embargo
    FROM disclosure d JOIN subject_key k ON k.tenant_id = d.tenant_id AND k.subject = d.subject
   WHERE d.tenant_id = p_tenant
     AND (p_streams IS NULL OR d.stream_id = ANY(p_streams))
     AND (p_subject IS NULL OR d.subject = p_subject)
     AND (p_digest IS NULL OR d.digest = p_digest);
END
$body$;

CALL with_roles('GRANT EXECUTE ON FUNCTION disclosure_places TO {app}, {auditor}');

-- append_events() as in 0005, with, in p_batch:
--   keys  [{subject, wrapped, [version], [known]}]: the keys with which the disclosures are sealed; the version of the
--         city's key that wrapped it, 1 where none is named; a known one is not stored but has to stand as it is
CREATE OR REPLACE FUNCTION append_events(
  p_tenant uuid, p_batch text,
  OUT first_position bigint, OUT last_position bigint, OUT recorded_at timestamptz, OUT replayed boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
  batch          jsonb := p_batch::jsonb;
  batch_key      text := batch ->> 'key';
  batch_digest   bytea;
  stored_digest  bytea;
  events         jsonb := batch -> 'events';
  last_index     int := coalesce(jsonb_array_length(events), 0) - 1;
  session_tenant text := current_setting('kyodo.tenant', true);
  ignored        text;
  -- the log
  log_size       bigint;
  log_time       timestamptz;
  subtrees       bytea[];
  depth          int;
  -- one event
  e              jsonb;
  stream         uuid;
  last_stream    uuid;
  version        int;
  last_version   int;
  signatories    text[];
  data           text;
  entry          bytea;
  leaf           bytea;
  node           bytea;
  rest           bigint;
  other_subject  text;
BEGIN
  IF session_tenant <> '' AND session_tenant::uuid <> p_tenant THEN
    RAISE EXCEPTION 'the session serves tenant %, not %', session_tenant, p_tenant USING ERRCODE = 'KY008';
  END IF;
  IF last_index < 0 THEN
    RAISE EXCEPTION 'an append holds at least one event' USING ERRCODE = 'KY009';
  END IF;
  ignored := set_config('kyodo.tenant', p_tenant::text, true);

  -- From here to the commit this city's appends wait for one another, and no other city's do.
  SELECT h.size, h.frontier, h.last_recorded_at INTO log_size, subtrees, log_time
    FROM tenant_head h WHERE h.tenant_id = p_tenant FOR NO KEY UPDATE;
  IF log_size IS NULL THEN
    RAISE EXCEPTION 'tenant % is not registered', p_tenant USING ERRCODE = 'KY003';
  END IF;

  replayed := false;
  IF batch_key IS NOT NULL THEN
    batch_digest := decode(batch ->> 'request_digest', 'hex');
    SELECT i.first_position, i.last_position, i.request_digest INTO first_position, last_position, stored_digest
      FROM idempotency i WHERE i.tenant_id = p_tenant AND i.key = batch_key;
    IF first_position IS NOT NULL THEN
      IF stored_digest IS DISTINCT FROM batch_digest THEN
        RAISE EXCEPTION 'idempotency key % belongs to another request', batch_key USING ERRCODE = 'KY006';
      END IF;
      replayed := true;
      SELECT v.recorded_at INTO recorded_at
        FROM event v WHERE v.tenant_id = p_tenant AND v.position = last_position;
      RETURN;
    END IF;
  END IF;

  -- The clock is read after the lock and never runs backwards within a log.
  recorded_at := clock_timestamp();
  IF log_time > recorded_at THEN
    IF log_time > recorded_at + interval '60 s' THEN
      RAISE EXCEPTION 'the clock says %, the last event was recorded at %', recorded_at, log_time
        USING ERRCODE = 'KY004';
    END IF;
    recorded_at := log_time;
  END IF;

  first_position := log_size + 1;
  last_position := log_size + 1 + last_index;
  depth := cardinality(subtrees);

  FOR i IN 0 .. last_index LOOP
    e := events -> i;
    stream := (e ->> 'stream')::uuid;
    version := (e ->> 'version')::int;
    data := e ->> 'data';
    signatories := '{}';
    IF e ->> 'mode' NOT IN ('LIVE', 'RETROACTIVE', 'IMPORT') OR e ? 'programme' <> e ? 'programme_version' THEN
      RAISE EXCEPTION 'stream % version %: no such mode, or a programme without version', stream, version
        USING ERRCODE = 'KY009';
    END IF;

    -- A stream begins at 0 or 1. The unique constraint would refuse a taken version too, but not say which one.
    IF stream IS DISTINCT FROM last_stream THEN
      last_stream := stream;
      last_version := NULL;
      SELECT v.version INTO last_version FROM event v
       WHERE v.tenant_id = p_tenant AND v.stream_id = stream ORDER BY v.version DESC LIMIT 1;
    END IF;
    IF version <= last_version THEN
      RAISE EXCEPTION 'stream % is at version %, version % is taken', stream, last_version, version
        USING ERRCODE = 'KY001', DETAIL = stream || ' ' || version;
    ELSIF version > coalesce(last_version + 1, 1) OR version < 0 THEN
      RAISE EXCEPTION 'stream % is at version %, version % leaves a gap', stream, last_version, version
        USING ERRCODE = 'KY002', DETAIL = stream || ' ' || version;
    END IF;
    last_version := version;

    IF e ? 'signatories' THEN
      signatories := ARRAY(SELECT jsonb_array_elements_text(e -> 'signatories'));
    END IF;
    entry := event_entry(
      p_tenant, log_size + 1, stream, version, e ->> 'type', (e ->> 'schema')::int, e ->> 'mode', e ->> 'actor',
      e ->> 'recorded_by', e ->> 'approved_by', signatories, e ->> 'document_ref', e ->> 'programme',
      (e ->> 'programme_version')::int, recorded_at, data);
    IF octet_length(entry) > 65535 THEN
      RAISE EXCEPTION 'the entry of stream % version % has % bytes, at most 65535 are allowed',
        stream, version, octet_length(entry) USING ERRCODE = 'KY005', DETAIL = stream || ' ' || version;
    END IF;

    -- RFC 6962 §2.1: the new leaf closes one perfect subtree for every trailing one bit of the size; the root folds
    -- the subtrees from right to left.
    leaf := leaf_hash(entry);
    node := leaf;
    rest := log_size;
    WHILE rest & 1 = 1 LOOP
      node := node_hash(subtrees[depth], node);
      depth := depth - 1;
      rest := rest >> 1;
    END LOOP;
    depth := depth + 1;
    subtrees[depth] := node;
    FOR j IN REVERSE depth - 1 .. 1 LOOP
      node := node_hash(subtrees[j], node);
    END LOOP;
    log_size := log_size + 1;

    INSERT INTO event VALUES (
      p_tenant, log_size, stream, version, e ->> 'type', (e ->> 'schema')::int, e ->> 'mode', e ->> 'actor',
      e ->> 'recorded_by', e ->> 'approved_by', signatories, e ->> 'document_ref', e ->> 'programme',
      (e ->> 'programme_version')::int, recorded_at, convert_to(data, 'UTF8'), leaf, node);
  END LOOP;

  IF batch ? 'disclosures' THEN
    INSERT INTO disclosure
    SELECT p_tenant, d ->> 'digest', (events -> (d ->> 'event')::int ->> 'stream')::uuid,
           CASE WHEN (d ->> 'event')::int BETWEEN 0 AND last_index THEN first_position + (d ->> 'event')::int END,
           d ->> 'subject', d ->> 'visibility', decode(d ->> 'sealed', 'base64')
      FROM jsonb_array_elements(batch -> 'disclosures') d;
  END IF;

  -- Two requests may make a key for the same new subject: the first one's stands, and the other must load it. A key that
  -- was known may have been destroyed or wrapped anew since: what is sealed with it must be sealed again.
  IF batch ? 'keys' THEN
    INSERT INTO subject_key
    SELECT p_tenant, k ->> 'subject', decode(k ->> 'wrapped', 'base64'), coalesce((k ->> 'version')::int, 1)
      FROM jsonb_array_elements(batch -> 'keys') k WHERE NOT coalesce((k ->> 'known')::boolean, false)
        ON CONFLICT DO NOTHING;
    SELECT k ->> 'subject' INTO other_subject
      FROM jsonb_array_elements(batch -> 'keys') k
      LEFT JOIN subject_key s ON s.tenant_id = p_tenant AND s.subject = k ->> 'subject'
     WHERE s.wrapped_key IS DISTINCT FROM decode(k ->> 'wrapped', 'base64') LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION 'subject % has another key', other_subject USING ERRCODE = 'KY007', DETAIL = other_subject;
    END IF;
  END IF;

  IF batch_key IS NOT NULL THEN
    INSERT INTO idempotency VALUES (p_tenant, batch_key, first_position, last_position, batch_digest);
  END IF;

  UPDATE tenant_head h
     SET size = log_size, root = node, frontier = subtrees[1:depth],
         last_recorded_at = append_events.recorded_at
   WHERE h.tenant_id = p_tenant;
END
$body$;

-- append_events_with_effects() as in 0006, with, in p_batch:
--   disposes  [event]: every text of that event's stream is destroyed, with the keys that nothing needs any more
CREATE OR REPLACE FUNCTION append_events_with_effects(
  p_tenant uuid, p_batch text,
  OUT first_position bigint, OUT last_position bigint, OUT recorded_at timestamptz, OUT replayed boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
  batch    jsonb := p_batch::jsonb;
  erased   text[];
  disposed uuid[];
  bereft   text[];
BEGIN
  SELECT a.first_position, a.last_position, a.recorded_at, a.replayed
    INTO first_position, last_position, recorded_at, replayed FROM append_events(p_tenant, p_batch) a;
  IF replayed THEN
    RETURN;
  END IF;
  UPDATE disclosure x SET embargo = d ->> 'embargo'
    FROM jsonb_array_elements(coalesce(batch -> 'disclosures', '[]')) d
   WHERE x.tenant_id = p_tenant AND x.digest = d ->> 'digest' AND d ->> 'embargo' IS NOT NULL;
  UPDATE disclosure x SET embargo = NULL
    FROM jsonb_array_elements(coalesce(batch -> 'lifts', '[]')) l
   WHERE x.tenant_id = p_tenant AND x.embargo = l ->> 'embargo'
     AND x.stream_id = (batch -> 'events' -> (l ->> 'event')::int ->> 'stream')::uuid
     AND x.position <= append_events_with_effects.first_position + (l ->> 'event')::int;
  UPDATE disclosure x SET visibility = 'CITY'
   WHERE x.tenant_id = p_tenant AND x.visibility IN ('PUBLIC', 'PARTY')
     AND x.digest IN (SELECT jsonb_array_elements_text(coalesce(batch -> 'withdraws', '[]')));
  erased := ARRAY(SELECT jsonb_array_elements_text(coalesce(batch -> 'erases', '[]')));
  DELETE FROM disclosure x WHERE x.tenant_id = p_tenant AND x.subject = ANY(erased);
  DELETE FROM subject_key k WHERE k.tenant_id = p_tenant AND k.subject = ANY(erased);
  disposed := ARRAY(
    SELECT (batch -> 'events' -> d::int ->> 'stream')::uuid
      FROM jsonb_array_elements_text(coalesce(batch -> 'disposes', '[]')) d);
  IF cardinality(disposed) > 0 THEN
    WITH gone AS (
      DELETE FROM disclosure x WHERE x.tenant_id = p_tenant AND x.stream_id = ANY(disposed) RETURNING x.subject
    )
    SELECT array_agg(DISTINCT gone.subject) INTO bereft FROM gone;
    DELETE FROM subject_key k
     WHERE k.tenant_id = p_tenant AND k.subject = ANY(bereft || disposed::text[])
       AND NOT EXISTS (SELECT FROM disclosure x WHERE x.tenant_id = p_tenant AND x.subject = k.subject);
  END IF;
END
$body$;
