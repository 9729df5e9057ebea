-- How a city's history comes in from an archive: event by event as it was, and visible to nobody before it is whole.

-- The tree of a history that is being restored, of the events that are there already. The city itself has no row in
-- tenant and tenant_head until the last transaction, so that no reader and no worker sees a part of it.
CREATE TABLE restoration (
  tenant_id        uuid PRIMARY KEY,
  size             bigint NOT NULL,
  root             bytea NOT NULL,
  frontier         bytea[] NOT NULL,
  last_recorded_at timestamptz
);

ALTER TABLE restoration ENABLE ROW LEVEL SECURITY;
ALTER TABLE restoration FORCE ROW LEVEL SECURITY;
CREATE POLICY own_city ON restoration USING (tenant_id = current_tenant());

-- Adds the archived entries that follow the restoration's size. An event's columns are read from its entry, and the
-- entry is built from them again as for any reader: one that would not be the same to the last byte is refused. Only
-- the owner may call it: an entry brings its own recorded_at, which nobody else may choose.
--
-- Errors: KY001 version taken, KY002 version gap, KY005 entry too large, KY008 session of another tenant, KY020 no
-- restoration was begun, KY021 the entry cannot be restored as it was.
CREATE FUNCTION restore_events(p_tenant uuid, p_entries bytea[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
  session_tenant text := current_setting('kyodo.tenant', true);
  log_size       bigint;
  log_time       timestamptz;
  subtrees       bytea[];
  depth          int;
  entry          bytea;
  e              json;
  data           text;
  programme      text;
  stream         uuid;
  version        int;
  last_version   int;
  recorded       timestamptz;
  signatories    text[];
  leaf           bytea;
  node           bytea;
  rest           bigint;
BEGIN
  IF session_tenant <> '' AND session_tenant::uuid <> p_tenant THEN
    RAISE EXCEPTION 'the session serves tenant %, not %', session_tenant, p_tenant USING ERRCODE = 'KY008';
  END IF;
  PERFORM set_config('kyodo.tenant', p_tenant::text, true);
  SELECT r.size, r.root, r.frontier, r.last_recorded_at INTO log_size, node, subtrees, log_time
    FROM restoration r WHERE r.tenant_id = p_tenant FOR UPDATE;
  IF log_size IS NULL THEN
    RAISE EXCEPTION 'no restoration of tenant % was begun', p_tenant USING ERRCODE = 'KY020';
  END IF;
  depth := cardinality(subtrees);

  FOREACH entry IN ARRAY p_entries LOOP
    IF octet_length(entry) > 65535 THEN
      RAISE EXCEPTION 'position %: the entry has % bytes, at most 65535 are allowed', log_size + 1, octet_length(entry)
        USING ERRCODE = 'KY005';
    END IF;
    -- json, unlike jsonb, keeps the text of the data as it was written.
    e := convert_from(entry, 'UTF8')::json;
    data := (e -> 'data')::text;
    stream := (e ->> 'stream')::uuid;
    version := (e ->> 'version')::int;
    programme := e -> 'programme' ->> 'id';
    recorded := (e ->> 'recorded_at')::timestamptz;
    signatories := ARRAY(SELECT json_array_elements_text(e -> 'signatories'));
    IF entry IS DISTINCT FROM event_entry(
      p_tenant, log_size + 1, stream, version, e ->> 'type', (e ->> 'schema_version')::int, e ->> 'mode',
      e ->> 'actor', e ->> 'recorded_by', e ->> 'approved_by', signatories, e ->> 'document_ref', programme,
      (e -> 'programme' ->> 'version')::int, recorded, data)
    THEN
      RAISE EXCEPTION 'position %: the entry is not in the form in which this log records', log_size + 1
        USING ERRCODE = 'KY021';
    END IF;
    IF e ->> 'mode' NOT IN ('LIVE', 'RETROACTIVE', 'IMPORT') OR recorded < log_time THEN
      RAISE EXCEPTION 'position %: no such mode, or recorded before the event in front of it', log_size + 1
        USING ERRCODE = 'KY021';
    END IF;

    last_version := NULL;
    SELECT v.version INTO last_version FROM event v
     WHERE v.tenant_id = p_tenant AND v.stream_id = stream ORDER BY v.version DESC LIMIT 1;
    IF version <= last_version THEN
      RAISE EXCEPTION 'position %: stream % is at version %, version % is taken',
        log_size + 1, stream, last_version, version USING ERRCODE = 'KY001', DETAIL = stream || ' ' || version;
    ELSIF version > coalesce(last_version + 1, 1) OR version < 0 THEN
      RAISE EXCEPTION 'position %: stream % is at version %, version % leaves a gap',
        log_size + 1, stream, last_version, version USING ERRCODE = 'KY002', DETAIL = stream || ' ' || version;
    END IF;

    -- RFC 6962 §2.1, as append_events() grows the tree.
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
    log_time := recorded;

    INSERT INTO event VALUES (
      p_tenant, log_size, stream, version, e ->> 'type', (e ->> 'schema_version')::int, e ->> 'mode', e ->> 'actor',
      e ->> 'recorded_by', e ->> 'approved_by', signatories, e ->> 'document_ref', programme,
      (e -> 'programme' ->> 'version')::int, recorded, convert_to(data, 'UTF8'), leaf, node);
  END LOOP;

  UPDATE restoration r
     SET size = log_size, root = node, frontier = subtrees[1:depth], last_recorded_at = log_time
   WHERE r.tenant_id = p_tenant;
  RETURN log_size;
END
$body$;

-- The owner's default is to let nobody call it; a superuser's schema may have another one.
REVOKE EXECUTE ON FUNCTION restore_events(uuid, bytea[]) FROM PUBLIC;
