-- Records that nobody can read. A stream has no dead-letter queue, and its shard goes on without them.
CREATE TABLE parked_records (
    id              BIGINT        NOT NULL AUTO_INCREMENT,
    stream          VARCHAR(160)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    shard_id        VARCHAR(128)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    sequence_number VARCHAR(128)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    partition_key   VARCHAR(256)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    reason          VARCHAR(500)  NOT NULL,
    record          MEDIUMBLOB    NOT NULL COMMENT 'as it came; the first 64 KiB of it',
    parked_at       DATETIME(6)   NOT NULL,
    dismissed_at    DATETIME(6)   NULL COMMENT 'when somebody had seen it',
    PRIMARY KEY (id),
    UNIQUE KEY uq_parked_records_stream_shard_id_sequence_number (stream, shard_id, sequence_number),
    KEY idx_parked_records_dismissed_at (dismissed_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
