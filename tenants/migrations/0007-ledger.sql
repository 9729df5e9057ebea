-- What makes a city's log checkable by anyone: the inner nodes of its tree, signed checkpoints, and the root log over
-- the checkpoints of all cities. Everything here is public. Nothing of it is trusted: the signing keys are files
-- elsewhere, and whoever signs folds the entries himself.

-- The root log is nobody's city; what belongs to it stands under this id.
CREATE FUNCTION root_log() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT '00000000-0000-0000-0000-000000000000'::uuid
$$;

GRANT EXECUTE ON FUNCTION root_log() TO PUBLIC;

-- MTH of the 256^level entries that follow number × 256^level, level from 1 (C2SP tlog-tiles); the hashes of level 0
-- are the leaves. A tile of any width is a range of these.
CREATE TABLE tree_node (
  tenant_id uuid NOT NULL,
  level     smallint NOT NULL CHECK (level > 0),
  number    bigint NOT NULL,
  hash      bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (tenant_id, level, number)
);

-- A log's signed statement of its size and root, as a note (C2SP tlog-checkpoint). Sizes only grow; of one size there is
-- a second one where the log's keys have changed since.
CREATE TABLE checkpoint (
  tenant_id uuid NOT NULL,
  size      bigint NOT NULL CHECK (size > 0),
  root      bytea NOT NULL CHECK (length(root) = 32),
  note      text NOT NULL,
  signed_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, size, signed_at)
);

-- The public keys under which a log's checkpoints were signed, each as a verifier key (C2SP signed-note).
CREATE TABLE log_key (
  tenant_id uuid NOT NULL,
  vkey      text NOT NULL,
  first_use timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, vkey)
);

-- What outside witnesses answered about a checkpoint: their signature lines (C2SP tlog-cosignature).
CREATE TABLE cosignature (
  tenant_id uuid NOT NULL,
  size      bigint NOT NULL,
  witness   text NOT NULL,
  line      text NOT NULL,
  at        timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, size, witness)
);

-- Timestamps of an outside authority over a checkpoint's note (RFC 3161, the response as it came, DER).
CREATE TABLE checkpoint_timestamp (
  tenant_id uuid NOT NULL,
  size      bigint NOT NULL,
  response  bytea NOT NULL,
  at        timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, size)
);

-- The entries of the root log: each checkpoint of a city as its log signed it.
CREATE TABLE root_entry (
  tenant_id uuid NOT NULL,
  size      bigint NOT NULL,
  position  bigint NOT NULL UNIQUE,
  entry     bytea NOT NULL CHECK (length(entry) <= 65535),
  PRIMARY KEY (tenant_id, size, position)
);

-- The root log is served beside the cities' logs, under a name that no city can have.
ALTER TABLE tenant ADD CONSTRAINT tenant_slug_is_no_other_log CHECK (slug <> 'root');

-- Read by everyone, added to by the worker for the city that it has set; changed and removed by nobody.
DO $do$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY
    ARRAY['tree_node', 'checkpoint', 'log_key', 'cosignature', 'checkpoint_timestamp', 'root_entry']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY everyone ON %I FOR SELECT USING (true)', name);
    EXECUTE format('CREATE POLICY own_log ON %I FOR INSERT WITH CHECK (tenant_id = current_tenant())', name);
    CALL with_roles(format('GRANT SELECT ON %I TO {app}, {projector}, {reader}, {auditor}', name));
    CALL with_roles(format('GRANT INSERT ON %I TO {projector}', name));
  END LOOP;
END
$do$;

-- A log is public, entry for entry: names and texts are not in it.
CALL with_roles('GRANT SELECT ON event TO {reader}');
CALL with_roles('GRANT EXECUTE ON FUNCTION event_entry(event) TO {reader}');
CALL with_roles(
  'GRANT EXECUTE ON FUNCTION event_entry(
     uuid, bigint, uuid, int, text, int, text, text, text, text, text[], text, text, int, timestamptz, text
   ) TO {reader}');
CALL with_roles('GRANT EXECUTE ON FUNCTION leaf_hash(bytea) TO {reader}, {projector}, {auditor}');
