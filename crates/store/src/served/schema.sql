-- What was shown for a share of the requests, and what it was decided by. The oldest rows make room.
CREATE TABLE served (
    number     INTEGER PRIMARY KEY,
    request_id TEXT    NOT NULL UNIQUE,
    time       INTEGER NOT NULL, -- of the request: microseconds since 1970, UTC
    user_id    TEXT,             -- NULL for a session that is known by its recent events alone
    log_seq    INTEGER NOT NULL, -- the state that served: all records of the log up to this one
    bundle     TEXT,             -- NULL without one
    content    BLOB    NOT NULL  -- the whole request, its candidates and their features (postcard)
);
CREATE INDEX served_by_user ON served (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX served_by_state ON served (log_seq);
