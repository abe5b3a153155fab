//! Relational stores for Gatewright: SQLite, migrations and the change feed.
