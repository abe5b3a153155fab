-- Login sessions. Times are whole seconds since the Unix epoch.

CREATE TABLE sessions (
    -- The order of opening. AUTOINCREMENT never gives a number twice, so a cursor stays true while rows go.
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    user_id         TEXT    NOT NULL,
    -- What the session was opened for; NULL for a login to all that the user belongs to.
    tenant          TEXT,
    client          TEXT    NOT NULL,
    label           TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    last_used_at    INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    CHECK (idle_expires_at <= expires_at)
) STRICT;
CREATE INDEX sessions_open    ON sessions (user_id, seq) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_idle ON sessions (idle_expires_at);
CREATE INDEX sessions_by_end  ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Every token that a session ever had, by its SHA-256, so that one that comes back late is known.
CREATE TABLE refresh_tokens (
    digest        BLOB    NOT NULL PRIMARY KEY,
    session       INTEGER NOT NULL REFERENCES sessions (seq),
    -- NULL for those that are spent, which are all but two.
    place         TEXT    CHECK (place IN ('current', 'parent')),
    -- The current token, sealed under its parent; the parent alone holds it.
    sealed_child  BLOB,
    grace_ends_at INTEGER,
    -- One current token and one parent in each session; NULLs differ from each other.
    UNIQUE (session, place),
    CHECK ((sealed_child IS NOT NULL) = (place IS NOT NULL AND place = 'parent')),
    CHECK ((sealed_child IS NULL) = (grace_ends_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_grace ON refresh_tokens (grace_ends_at) WHERE grace_ends_at IS NOT NULL;
