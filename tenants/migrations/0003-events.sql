-- The events of every city, each city's in a log of its own, and what becomes a leaf of its Merkle tree.

-- append_events() is the only writer and checks what a row may hold: CHECK constraints are parsed anew by every
-- statement, which would cost a tenth of an append.
CREATE TABLE event (
  tenant_id         uuid NOT NULL,
  position          bigint NOT NULL,
  stream_id         uuid NOT NULL,
  version           int NOT NULL,
  type              text NOT NULL,
  schema_version    int NOT NULL,
  mode              text NOT NULL,
  actor             text NOT NULL,
  recorded_by       text NOT NULL,
  approved_by       text,
  signatories       text[] NOT NULL,
  document_ref      text,
  programme         text,
  programme_version int,
  recorded_at       timestamptz NOT NULL,
  state             bytea NOT NULL,
  leaf              bytea NOT NULL,
  root              bytea NOT NULL,
  PRIMARY KEY (tenant_id, position),
  CONSTRAINT event_stream_version UNIQUE (tenant_id, stream_id, version)
);

ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event FORCE ROW LEVEL SECURITY;
CREATE POLICY own_city ON event USING (tenant_id = current_tenant());
CALL with_roles('GRANT SELECT ON event TO {app}, {projector}, {auditor}');

-- An append that was answered once is answered the same again.
CREATE TABLE idempotency (
  tenant_id      uuid NOT NULL,
  key            text NOT NULL,
  first_position bigint NOT NULL,
  last_position  bigint NOT NULL,
  request_digest bytea,
  PRIMARY KEY (tenant_id, key)
);

ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY own_city ON idempotency USING (tenant_id = current_tenant());
CALL with_roles('GRANT SELECT ON idempotency TO {app}, {auditor}');

-- Hashes of a leaf and of an inner node (RFC 6962 §2.1).
CREATE FUNCTION leaf_hash(entry bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT sha256('\x00'::bytea || entry)
$$;

CREATE FUNCTION node_hash(left_hash bytea, right_hash bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT sha256('\x01'::bytea || left_hash || right_hash)
$$;

-- The entry of one event: its canonical JSON (RFC 8785, members sorted) in UTF-8, as it is hashed and published.
-- The data is taken as it is, unparsed. to_json() writes strings and arrays exactly as RFC 8785 §3.2.2 asks.
-- One expression, so that PostgreSQL inlines it wherever it is called, and one concat(), as || copies at each step.
CREATE FUNCTION event_entry(
  tenant_id uuid, "position" bigint, stream_id uuid, version int, type text, schema_version int, mode text, actor text,
  recorded_by text, approved_by text, signatories text[], document_ref text, programme text, programme_version int,
  recorded_at timestamptz, data text
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $body$
  SELECT convert_to(concat(
    '{"actor":', to_json(actor),
    ',"approved_by":', coalesce(to_json(approved_by), 'null'),
    ',"data":', data,
    ',"document_ref":', coalesce(to_json(document_ref), 'null'),
    ',"mode":', to_json(mode),
    ',"position":', "position",
    ',"programme":', CASE WHEN programme IS NULL THEN 'null'
      ELSE concat('{"id":', to_json(programme), ',"version":', programme_version, '}') END,
    ',"recorded_at":"', to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    '","recorded_by":', to_json(recorded_by),
    ',"schema_version":', schema_version,
    ',"signatories":', to_json(signatories),
    ',"stream":"', stream_id,
    '","tenant":"', tenant_id,
    '","type":', to_json(type),
    ',"version":', version,
    '}'), 'UTF8')
$body$;

-- The entry of a stored event: SELECT event_entry(e) FROM event e.
CREATE FUNCTION event_entry(e event) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $body$
  SELECT event_entry(
    e.tenant_id, e.position, e.stream_id, e.version, e.type, e.schema_version, e.mode, e.actor,
    e.recorded_by, e.approved_by, e.signatories, e.document_ref, e.programme, e.programme_version,
    e.recorded_at, convert_from(e.state, 'UTF8'))
$body$;

CALL with_roles('GRANT EXECUTE ON FUNCTION event_entry(event) TO {app}, {projector}, {auditor}');
CALL with_roles(
  'GRANT EXECUTE ON FUNCTION event_entry(
     uuid, bigint, uuid, int, text, int, text, text, text, text, text[], text, text, int, timestamptz, text
   ) TO {app}, {projector}, {auditor}');

-- The state as jsonb for people who read tables, NULL when it is not JSON that PostgreSQL can hold.
CREATE FUNCTION state_as_json(state bytea) RETURNS jsonb LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
BEGIN
  RETURN convert_from(state, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR statement_too_complex OR program_limit_exceeded THEN
  RETURN NULL;
END
$body$;

CREATE VIEW audited_event WITH (security_invoker = true) AS
  SELECT tenant_id, position, stream_id, version, type, schema_version, mode, actor, recorded_by, approved_by,
         signatories, document_ref, programme, programme_version, recorded_at, state_as_json(state) AS state,
         encode(leaf, 'hex') AS leaf, encode(root, 'hex') AS root
    FROM event;

CALL with_roles('GRANT SELECT ON audited_event TO {auditor}');
CALL with_roles('GRANT EXECUTE ON FUNCTION state_as_json(bytea) TO {auditor}');
