-- Movements that came a second time. They counted once; whether they said the same is for the audit.
CREATE TABLE stream_repeats (
    sequence_number VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    shard_id        VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    bean_id         BIGINT       NOT NULL,
    first_sequence  BIGINT       NOT NULL,
    last_sequence   BIGINT       NOT NULL,
    changes         TEXT         CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    seen_at         DATETIME(6)  NOT NULL,
    PRIMARY KEY (sequence_number, shard_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
