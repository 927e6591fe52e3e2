-- The record of the steps that ran. Made before anything else, and the one step that is not recorded.
CREATE TABLE IF NOT EXISTS migrations (
    number INTEGER NOT NULL,
    step INTEGER NOT NULL,
    name TEXT NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (number, step)
) STRICT, WITHOUT ROWID;
