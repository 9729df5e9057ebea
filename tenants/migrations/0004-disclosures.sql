-- What lies beside the log and can be taken away without touching it: sealed values, and the keys that open them.

-- The sealed value behind one digest in the log (RFC 9901 names the form), and who may see it.
CREATE TABLE disclosure (
  tenant_id  uuid NOT NULL,
  digest     text NOT NULL,
  stream_id  uuid NOT NULL,
  position   bigint NOT NULL,
  subject    text NOT NULL,
  visibility text NOT NULL CHECK (visibility IN ('PUBLIC', 'PARTY', 'CITY', 'PERSONAL')),
  sealed     bytea NOT NULL,
  PRIMARY KEY (tenant_id, digest)
);

CREATE INDEX disclosure_position ON disclosure (tenant_id, position);
CREATE INDEX disclosure_subject ON disclosure (tenant_id, subject);

ALTER TABLE disclosure ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure FORCE ROW LEVEL SECURITY;
CREATE POLICY own_city ON disclosure USING (tenant_id = current_tenant());
CALL with_roles('GRANT SELECT ON disclosure TO {app}, {projector}');
CALL with_roles('GRANT DELETE ON disclosure TO {app}');

-- One key per subject, wrapped by the city's key, which never enters the database. Deleting it erases the subject.
CREATE TABLE subject_key (
  tenant_id   uuid NOT NULL,
  subject     text NOT NULL,
  wrapped_key bytea NOT NULL,
  PRIMARY KEY (tenant_id, subject)
);

ALTER TABLE subject_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE subject_key FORCE ROW LEVEL SECURITY;
CREATE POLICY own_city ON subject_key USING (tenant_id = current_tenant());
CALL with_roles('GRANT SELECT ON subject_key TO {app}, {projector}');
CALL with_roles('GRANT DELETE ON subject_key TO {app}');
