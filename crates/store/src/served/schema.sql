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

-- Who was shown lists by which variant of an experiment.
CREATE TABLE exposed (
    experiment TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    variant    TEXT    NOT NULL,
    first      INTEGER NOT NULL, -- time of the earliest list: microseconds since 1970, UTC
    requests   INTEGER NOT NULL, -- lists
    PRIMARY KEY (experiment, user_id, variant)
) WITHOUT ROWID;
CREATE INDEX exposed_by_user ON exposed (user_id);
