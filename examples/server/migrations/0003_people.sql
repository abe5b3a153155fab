-- How people present themselves, and the pages that handles sell.

CREATE TABLE user_profiles (
    user          TEXT    NOT NULL PRIMARY KEY REFERENCES accounts (id),
    avatar_url    TEXT,
    -- What they want to be told of, beside what concerns their account's security.
    product       INTEGER NOT NULL DEFAULT 0 CHECK (product IN (0, 1)),
    weekly_digest INTEGER NOT NULL DEFAULT 0 CHECK (weekly_digest IN (0, 1))
) STRICT, WITHOUT ROWID;

-- Visitors know a page by its slug alone, and may keep for long what they bought: no slug ever means another handle's page.
CREATE TABLE pages (
    slug       TEXT    NOT NULL PRIMARY KEY,
    tenant     TEXT    NOT NULL REFERENCES tenants (id),
    title      TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    paid       INTEGER NOT NULL CHECK (paid IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pages_of_tenant ON pages (tenant, slug);

CREATE TABLE purchase_codes (
    -- The SHA-256 of the code, which is shown to whoever mints it and kept nowhere.
    digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    page       TEXT    NOT NULL REFERENCES pages (slug),
    minted_by  TEXT    NOT NULL REFERENCES accounts (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX purchase_codes_to_forget ON purchase_codes (expires_at) WHERE used_at IS NULL;
