-- Visitors: what their cookies are sealed with, and what they bought.

-- A new key is known to servers that start after it was added, and seals from when they start after it was put into use.
-- What older keys sealed still opens.
CREATE TABLE visitor_keys (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    key       BLOB    NOT NULL CHECK (length(key) = 32),
    -- When it was put into use. The last one to be is in use.
    used_from INTEGER
) STRICT;

-- The name of a page that was deleted stays taken: what visitors bought under it must not open another page.
ALTER TABLE pages ADD COLUMN deleted_at INTEGER;

-- The visitor who spent the code, and has bought its page.
ALTER TABLE purchase_codes ADD COLUMN used_by TEXT;
CREATE INDEX purchase_codes_of_visitor ON purchase_codes (used_by, page) WHERE used_by IS NOT NULL;
