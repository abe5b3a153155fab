-- What was mailed to people, and who they are elsewhere. Digests are the SHA-256 of a token.

CREATE TABLE mailed_tokens (
    digest     BLOB    NOT NULL PRIMARY KEY,
    purpose    TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    password   TEXT,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mailed_tokens_of_user ON mailed_tokens (user_id, purpose);
CREATE INDEX mailed_tokens_by_time ON mailed_tokens (expires_at);

CREATE TABLE invites (
    -- The order of inviting. AUTOINCREMENT never gives a number twice, so a cursor stays true while rows go.
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    digest     BLOB    NOT NULL UNIQUE,
    tenant     TEXT    NOT NULL REFERENCES tenants (id),
    email      TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    inviter    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (tenant, email)
) STRICT;
CREATE INDEX invites_of_tenant ON invites (tenant, seq);
CREATE INDEX invites_by_time   ON invites (expires_at);

CREATE TABLE linked_logins (
    -- The order of linking.
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT    NOT NULL UNIQUE,
    user_id   TEXT    NOT NULL,
    issuer    TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    email     TEXT    NOT NULL,
    linked_at INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;
CREATE INDEX linked_logins_of_user ON linked_logins (user_id, seq);
