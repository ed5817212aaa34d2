-- What the stream said, record by record, for the audit. Kept for ever, like the ledger it is compared with.
CREATE TABLE stream_runs (
    bean_id         BIGINT       NOT NULL,
    first_sequence  BIGINT       NOT NULL,
    last_sequence   BIGINT       NOT NULL,
    changes         TEXT         CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'by how many bags, one after the other; JSON',
    shard_id        VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    sequence_number VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    PRIMARY KEY (bean_id, first_sequence)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
