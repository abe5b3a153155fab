-- What orgs have configured at the gateway.

-- A row stays when its connector is deleted, so that an id is never used twice.
CREATE TABLE connectors (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    tenant     TEXT    NOT NULL REFERENCES tenants (id),
    name       TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE INDEX connectors_of_tenant ON connectors (tenant, seq) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX connectors_by_name ON connectors (tenant, name) WHERE deleted_at IS NULL;

CREATE TABLE sso (
    tenant     TEXT    NOT NULL PRIMARY KEY REFERENCES tenants (id),
    -- JSON.
    config     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How often something changed that servers hold in memory.
CREATE TABLE versions (
    what    TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO versions (what, version) VALUES ('orgs', 0), ('signing_keys', 0);
