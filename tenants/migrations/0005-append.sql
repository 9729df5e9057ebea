-- The only way into a city's log: one call, all or nothing.
--
-- p_batch is one JSON object; members in brackets may be left out:
--   events         [{stream, version, type, schema, mode, actor, recorded_by, [approved_by], [signatories],
--                    [document_ref], [programme, programme_version], data}], data being the event's canonical JSON as
--                  a string, which is stored and hashed unparsed
--   [disclosures]  [{digest, event, subject, visibility, sealed}], event an index into events, sealed in base64
--   [keys]         [{subject, wrapped}], wrapped in base64
--   [key]          the idempotency key: an append that was answered once is answered the same again
--   [request_digest]  hex; the key is refused when it comes back with another digest
--
-- Errors: KY001 version taken, KY002 version gap, KY003 unknown tenant, KY004 clock behind, KY005 entry too large,
-- KY006 idempotency key of another request, KY007 subject has another key, KY008 session of another tenant,
-- KY009 malformed event or none.
--
-- Every expression below is prepared anew in each transaction, so their number is what an append costs.
CREATE FUNCTION append_events(
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

  -- Two requests may make a key for the same new subject: the first one's stands, and the other must load it.
  IF batch ? 'keys' THEN
    INSERT INTO subject_key
    SELECT p_tenant, k ->> 'subject', decode(k ->> 'wrapped', 'base64') FROM jsonb_array_elements(batch -> 'keys') k
        ON CONFLICT DO NOTHING;
    SELECT s.subject INTO other_subject
      FROM jsonb_array_elements(batch -> 'keys') k
      JOIN subject_key s ON s.tenant_id = p_tenant AND s.subject = k ->> 'subject'
     WHERE s.wrapped_key <> decode(k ->> 'wrapped', 'base64') LIMIT 1;
    IF other_subject IS NOT NULL THEN
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

CALL with_roles('GRANT EXECUTE ON FUNCTION append_events TO {app}');
