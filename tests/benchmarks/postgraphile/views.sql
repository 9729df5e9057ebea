-- The current rows of the read models as PostGraphile wants them: views do not say how they belong together, so that
-- smart tags do. What our service orders by is part of the partnership, so that this one may order by the same; apart
-- from what is asked for by value, whose indexes know no other collation.
CREATE SCHEMA beside;

CREATE VIEW beside.city AS
SELECT t.tenant_id, t.slug, t.municipal_code, t.name_ja, t.name_en, c.population
  FROM tenant t LEFT JOIN read_model.city c ON c.tenant_id = t.tenant_id AND c.known_until = {open};
COMMENT ON VIEW beside.city IS '@primaryKey tenant_id
@unique slug';

CREATE VIEW beside.partnership AS
SELECT p.tenant_id, p.partnership_id, coalesce(t.municipal_code, '') COLLATE "C" AS by_code,
       t.slug COLLATE "C" AS by_slug, p.number COLLATE "C" AS by_number, t.slug, p.number, p.programme, p.status, p.origin, p.field, p.joint, p.forms, p.submissions,
       p.rejections, p.agreed, p.ended, p.title_ja, p.title_en, p.place, p.objective
  FROM read_model.partnership p JOIN tenant t USING (tenant_id)
 WHERE p.known_until = {open};
COMMENT ON VIEW beside.partnership IS '@primaryKey tenant_id,partnership_id
@unique slug,number
@foreignKey (tenant_id) references beside.city (tenant_id)|@fieldName city';

CREATE VIEW beside.timeline AS
SELECT tenant_id, stream_id, version, place, type, position, recorded_at, mode, source, valid, earliest, latest,
       certainty, label, clear AS data
  FROM read_model.timeline
 WHERE known_until = {open};
COMMENT ON VIEW beside.timeline IS '@primaryKey tenant_id,stream_id,version
@foreignKey (tenant_id, stream_id) references beside.partnership (tenant_id, partnership_id)|@foreignFieldName timeline';

GRANT USAGE ON SCHEMA beside TO {reader};
GRANT SELECT ON ALL TABLES IN SCHEMA beside TO {reader};
