-- What happened: identifiers and never a secret.
CREATE TABLE audit_log (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    subject    TEXT,
    mode       TEXT,
    credential TEXT,
    tenant     TEXT,
    target     TEXT,
    source     TEXT,
    cause      TEXT
) STRICT;

CREATE INDEX audit_log_by_tenant ON audit_log (tenant, seq);
CREATE INDEX audit_log_by_time ON audit_log (at);
