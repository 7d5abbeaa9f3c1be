-- Makes retries safe: an id whose hash is here is not appended again. Those that were appended longer
-- ago than the deduplication window are removed, in the order of the log.
CREATE TABLE event_ids (
    hash    BLOB    PRIMARY KEY NOT NULL, -- the first 16 bytes of the sha256 of the id
    log_seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX event_ids_in_order ON event_ids (log_seq);

-- The server's clock at some records, about one a minute: how old records and ids are.
CREATE TABLE arrivals (
    log_seq INTEGER PRIMARY KEY, -- the first record that was appended at
    time    INTEGER NOT NULL     -- microseconds since 1970, UTC
);

-- One row: where the log begins, and from where on event ids are known.
CREATE TABLE log_bounds (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    cut_log_seq INTEGER NOT NULL, -- records up to here were removed by retention
    cut_chain   INTEGER NOT NULL, -- the chain up to there
    ids_after   INTEGER NOT NULL  -- ids of events up to here are forgotten
);
INSERT INTO log_bounds VALUES (1, 0, 0, 0);

-- Readers that retention waits for, until their lease ends.
CREATE TABLE pins (
    name    TEXT    PRIMARY KEY NOT NULL,
    log_seq INTEGER NOT NULL, -- it still reads what comes after this record
    until   INTEGER NOT NULL  -- microseconds since 1970, UTC
) WITHOUT ROWID;

-- Files in checkpoints/: the state after record log_seq.
CREATE TABLE checkpoints (
    log_seq INTEGER PRIMARY KEY,
    chain   INTEGER NOT NULL, -- of the log up to there
    file    TEXT    NOT NULL,
    bytes   INTEGER NOT NULL,
    sha256  TEXT    NOT NULL,
    schema  TEXT    NOT NULL  -- what the state was made by: another one cannot read it
);

