-- The public registry of cities, and the head of each city's log.

-- The city whose rows this session sees; none set means no rows.
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT nullif(current_setting('kyodo.tenant', true), '')::uuid
$$;

GRANT EXECUTE ON FUNCTION current_tenant() TO PUBLIC;

-- One row per city, public and the same for everyone. The id is opaque and permanent; names and codes may change.
CREATE TABLE tenant (
  tenant_id      uuid PRIMARY KEY,
  slug           text NOT NULL UNIQUE CHECK (slug ~ '^[a-z][a-z0-9-]{0,62}$'),
  municipal_code text CHECK (municipal_code ~ '^[0-9]{6}$'),
  name_ja        text NOT NULL,
  name_en        text NOT NULL,
  kind           text NOT NULL,
  registered_at  timestamptz NOT NULL
);

CALL with_roles('GRANT SELECT ON tenant TO {app}, {projector}, {reader}, {auditor}');

-- One row per city: the size of its log, its Merkle tree's root and frontier (RFC 6962 §2.1: the roots of the perfect
-- subtrees from left to right), and the time of its last event. Every append updates it, so pages keep room for it.
CREATE TABLE tenant_head (
  tenant_id        uuid PRIMARY KEY REFERENCES tenant,
  size             bigint NOT NULL,
  root             bytea NOT NULL,
  frontier         bytea[] NOT NULL,
  last_recorded_at timestamptz
) WITH (fillfactor = 20);

ALTER TABLE tenant_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_head FORCE ROW LEVEL SECURITY;
CREATE POLICY own_city ON tenant_head USING (tenant_id = current_tenant());
CALL with_roles('CREATE POLICY every_city ON tenant_head FOR SELECT TO {projector} USING (true)');
CALL with_roles('GRANT SELECT ON tenant_head TO {app}, {projector}, {auditor}');

-- Registers a city with an empty log. A slug or id that is taken violates the registry's unique constraints.
CREATE FUNCTION register_tenant(
  p_tenant uuid, p_slug text, p_municipal_code text, p_name_ja text, p_name_en text, p_kind text
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
BEGIN
  IF current_tenant() <> p_tenant THEN
    RAISE EXCEPTION 'the session serves tenant %, not %', current_tenant(), p_tenant USING ERRCODE = 'KY008';
  END IF;
  PERFORM set_config('kyodo.tenant', p_tenant::text, true);
  INSERT INTO tenant VALUES
    (p_tenant, p_slug, p_municipal_code, p_name_ja, p_name_en, p_kind, clock_timestamp());
  -- The root of an empty tree is the hash of nothing (RFC 6962 §2.1).
  INSERT INTO tenant_head VALUES (p_tenant, 0, sha256(''), '{}', NULL);
END
$body$;

CALL with_roles('GRANT EXECUTE ON FUNCTION register_tenant TO {app}');
