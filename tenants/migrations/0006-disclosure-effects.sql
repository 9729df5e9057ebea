-- Texts that wait, are withdrawn or destroyed: what an event does to disclosures happens in the event's own transaction.

-- What the public has to wait for before it may read the text (DECISION/1, EVALUATION/2); NULL is nothing.
ALTER TABLE disclosure ADD COLUMN embargo text;

-- The texts of a stream are opened together, by the worker and by whoever shows the stream.
CREATE INDEX disclosure_stream ON disclosure (tenant_id, stream_id);

-- append_events() and the effects of its events; p_batch is the same, with, beyond it (each may be left out):
--   disclosures[].embargo  what the text waits for
--   lifts                  [{event, embargo}]: earlier texts of that event's stream wait no longer
--   withdraws              [digest]: the public may not read these any more, the city still may
--   erases                 [subject]: texts and key are destroyed; the log keeps the digests
CREATE FUNCTION append_events_with_effects(
  p_tenant uuid, p_batch text,
  OUT first_position bigint, OUT last_position bigint, OUT recorded_at timestamptz, OUT replayed boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $body$
DECLARE
  batch  jsonb := p_batch::jsonb;
  erased text[];
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
END
$body$;

CALL with_roles('GRANT EXECUTE ON FUNCTION append_events_with_effects TO {app}');
