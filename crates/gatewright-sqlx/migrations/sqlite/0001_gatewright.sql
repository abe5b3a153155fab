-- Times are whole seconds since the Unix epoch, those of the change feed milliseconds. Booleans are 0 and 1.
-- Beside the primary keys every index serves one look-up or one list, in that list's order.

CREATE TABLE tenants (
    id   TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    slug TEXT NOT NULL,
    plan TEXT NOT NULL,
    -- Rows are never deleted, so a slug is never used for a second tenant.
    UNIQUE (kind, slug)
) STRICT;

CREATE TABLE accounts (
    id             TEXT    NOT NULL PRIMARY KEY,
    email          TEXT    NOT NULL UNIQUE,
    name           TEXT    NOT NULL,
    verified       INTEGER NOT NULL CHECK (verified IN (0, 1)),
    platform_admin INTEGER NOT NULL CHECK (platform_admin IN (0, 1)),
    password       TEXT,
    created_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE memberships (
    tenant  TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL,
    role    TEXT NOT NULL,
    -- Copies, so that both lists are read in order from one index: kind and slug never change, and whoever
    -- writes an account's address writes it here too.
    kind    TEXT NOT NULL,
    slug    TEXT NOT NULL,
    email   TEXT NOT NULL,
    PRIMARY KEY (tenant, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_slug  ON memberships (user_id, kind, slug);
CREATE INDEX memberships_by_email ON memberships (tenant, email, user_id);

CREATE TABLE credentials (
    -- The order of minting. AUTOINCREMENT never gives a number twice, so a cursor stays true while rows go.
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind             TEXT    NOT NULL,
    id               TEXT    NOT NULL,
    tenant           TEXT    NOT NULL REFERENCES tenants (id),
    owner            TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    scopes           TEXT    NOT NULL,
    hash             TEXT    NOT NULL,
    tag              INTEGER,
    -- The secret that a rotation replaced, while its grace lasts.
    previous_hash    TEXT,
    previous_tag     INTEGER,
    previous_ends_at INTEGER,
    created_at       INTEGER NOT NULL,
    not_before       INTEGER,
    expires_at       INTEGER,
    revoked_at       INTEGER,
    last_used_at     INTEGER,
    UNIQUE (kind, id),
    CHECK ((previous_hash IS NULL) = (previous_ends_at IS NULL))
) STRICT;
CREATE INDEX credentials_of_tenant ON credentials (tenant, seq);
CREATE INDEX credentials_of_kind   ON credentials (tenant, kind, seq);
CREATE INDEX credentials_of_owner  ON credentials (tenant, owner, seq);
CREATE INDEX credentials_of_owner_and_kind ON credentials (tenant, owner, kind, seq);

-- Epochs stand apart from accounts and clients: one that nobody raised is 0, whether or not its holder has a row.
CREATE TABLE epochs (
    kind  TEXT    NOT NULL CHECK (kind IN ('user', 'client')),
    id    TEXT    NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE ended_sessions (
    id         TEXT    NOT NULL PRIMARY KEY,
    keep_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ended_sessions_by_time ON ended_sessions (keep_until);

CREATE TABLE denied_tokens (
    jti        TEXT    NOT NULL PRIMARY KEY,
    keep_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX denied_tokens_by_time ON denied_tokens (keep_until);

CREATE TABLE signing_keys (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    kid          TEXT    NOT NULL UNIQUE,
    algorithm    TEXT    NOT NULL,
    sealed       BLOB    NOT NULL,
    published_at INTEGER NOT NULL,
    active_from  INTEGER NOT NULL,
    retire_after INTEGER
) STRICT;

CREATE TABLE tag_keys (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id  INTEGER NOT NULL UNIQUE,
    key BLOB    NOT NULL
) STRICT;

-- The change feed: what was changed, and how far each running process has read.
CREATE TABLE changes (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT    NOT NULL,
    id   TEXT    NOT NULL,
    at   INTEGER NOT NULL
) STRICT;

CREATE TABLE nodes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    position  INTEGER NOT NULL,
    heartbeat INTEGER NOT NULL
) STRICT;
