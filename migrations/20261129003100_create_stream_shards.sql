-- The shards of the stream, who reads each, and how far it has been read.
CREATE TABLE stream_shards (
    stream          VARCHAR(160) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                    COMMENT 'its name, @ and when it was created: a stream that was made anew begins anew',
    shard_id        VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    parent          VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL,
    adjacent_parent VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'of a merged shard',
    first_hash      VARCHAR(39)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'its keys, from',
    last_hash       VARCHAR(39)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'to; 128 bits in all',
    closed          BOOLEAN      NOT NULL COMMENT 'was split or merged: nothing more will be put into it',
    listed_at       DATETIME(6)  NOT NULL COMMENT 'when it was first heard of',
    owner           BINARY(16)   NULL COMMENT 'the instance that reads it',
    epoch           BIGINT       NOT NULL DEFAULT 0 COMMENT 'counts owners: one that was overtaken commits nothing',
    lease_until     DATETIME(6)  NULL COMMENT 'by the database''s clock',
    checkpoint      VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL
                    COMMENT 'sequence number of the last record whose effect is here; up to 56 digits and more than any number type holds',
    ended_at        DATETIME(6)  NULL COMMENT 'when its last record was read',
    behind_ms       BIGINT       NULL COMMENT 'milliseconds behind the newest record at the last read',
    read_at         DATETIME(6)  NULL COMMENT 'when it was last read',
    at_end_at       DATETIME(6)  NULL COMMENT 'when it was last read to its end',
    movements       BIGINT       NOT NULL DEFAULT 0 COMMENT 'how many were read from it',
    trimmed_at      DATETIME(6)  NULL COMMENT 'when records turned out to be gone before they were read; NULL once somebody saw it',
    PRIMARY KEY (stream, shard_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
