-- Format 2 of the log. Anyone may read it; only the holder of log.lock appends.

-- Contiguous from the record after log_bounds.cut_log_seq. The checksum is a chain: xxh3_64 over
-- (log_seq, time, kind, payload), seeded with the chain up to the record before. The chain goes on with
-- this checksum, but after an 'erased' record with the one in its payload: the one before it was erased.
CREATE TABLE log (
    log_seq  INTEGER PRIMARY KEY CHECK (log_seq > 0),
    kind     TEXT    NOT NULL,
    time     INTEGER NOT NULL, -- microseconds since 1970, UTC
    payload  TEXT    NOT NULL, -- JSON of the record
    checksum INTEGER NOT NULL
);

-- Finds the few catalogue records among many events; an event costs nothing here.
CREATE INDEX log_catalogue ON log (kind) WHERE kind <> 'event';

CREATE TABLE properties (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- For people at a SQL prompt.
CREATE VIEW events AS
SELECT log_seq,
       json_extract(payload, '$.event_id')   AS event_id,
       json_extract(payload, '$.user_id')    AS user_id,
       json_extract(payload, '$.item_id')    AS item_id,
       json_extract(payload, '$.event_type') AS event_type,
       json_extract(payload, '$.value')      AS value,
       json_extract(payload, '$.timestamp')  AS timestamp,
       json_extract(payload, '$.request_id') AS request_id,
       json_extract(payload, '$.position')   AS position
FROM log
WHERE kind = 'event';

-- With max(), SQLite takes the other columns from the row that holds the maximum: the latest one.
CREATE VIEW items AS
SELECT item_id, available, attributes, updated_at, log_seq
FROM (SELECT coalesce(json_extract(payload, '$.item.item_id'), json_extract(payload, '$.item_id')) AS item_id,
             json_extract(payload, '$.item.available')  AS available,
             json_extract(payload, '$.item.attributes') AS attributes,
             json_extract(payload, '$.timestamp')       AS updated_at,
             kind,
             max(log_seq)                               AS log_seq
      FROM log
      WHERE kind <> 'event' AND kind IN ('item_put', 'item_delete')
      GROUP BY 1)
WHERE kind = 'item_put';

CREATE VIEW users AS
SELECT user_id, attributes, updated_at, log_seq
FROM (SELECT coalesce(json_extract(payload, '$.user.user_id'), json_extract(payload, '$.user_id')) AS user_id,
             json_extract(payload, '$.user.attributes') AS attributes,
             json_extract(payload, '$.timestamp')       AS updated_at,
             kind,
             max(log_seq)                               AS log_seq
      FROM log
      WHERE kind <> 'event' AND kind IN ('user_put', 'user_delete')
      GROUP BY 1)
WHERE kind = 'user_put';
