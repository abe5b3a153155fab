-- What the service itself keeps, in the database that holds its accounts and credentials. Times are whole seconds since
-- the Unix epoch. Every row belongs to a tenant or a user, and every query names which.

CREATE TABLE ctx_keys (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB    NOT NULL
) STRICT;

CREATE TABLE handle_profiles (
    tenant       TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    display_name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    tenant      TEXT    NOT NULL REFERENCES tenants (id),
    slug        TEXT    NOT NULL,
    destination TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, slug)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhooks (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    tenant     TEXT    NOT NULL REFERENCES tenants (id),
    url        TEXT    NOT NULL,
    events     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (tenant, url)
) STRICT;
CREATE INDEX webhooks_of_tenant ON webhooks (tenant, seq);

CREATE TABLE domains (
    domain     TEXT    NOT NULL PRIMARY KEY,
    owner      TEXT    NOT NULL REFERENCES accounts (id),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX domains_of_owner ON domains (owner, domain);

CREATE TABLE conversions (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    -- NULL where the context was not one of ours: such a conversion counts for nobody.
    tenant          TEXT    REFERENCES tenants (id),
    -- In which idempotency keys are unique: the tenant, or the digest of a context that is not ours.
    space           TEXT    NOT NULL,
    idempotency_key TEXT,
    event_type      TEXT    NOT NULL,
    value           REAL    NOT NULL,
    created_at      INTEGER NOT NULL,
    UNIQUE (space, idempotency_key)
) STRICT;
CREATE INDEX conversions_by_type  ON conversions (tenant, event_type, value) WHERE tenant IS NOT NULL;
CREATE INDEX conversions_of_nobody ON conversions (created_at) WHERE tenant IS NULL;

CREATE TABLE checkout_sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    tenant     TEXT    NOT NULL REFERENCES tenants (id),
    owner      TEXT    NOT NULL REFERENCES accounts (id),
    plan       TEXT    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('open', 'completed')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
