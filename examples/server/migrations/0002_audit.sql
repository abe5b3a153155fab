-- Who asks for one actor or one target in a long log.
CREATE INDEX audit_log_by_subject ON audit_log (tenant, subject, seq);
CREATE INDEX audit_log_by_target ON audit_log (tenant, target, seq);
