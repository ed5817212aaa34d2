-- The instances that read the stream; those that were heard of lately share its shards.
CREATE TABLE stream_workers (
    instance BINARY(16)   NOT NULL,
    stream   VARCHAR(160) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'as in stream_shards',
    seen_at  DATETIME(6)  NOT NULL COMMENT 'by the database''s clock',
    PRIMARY KEY (instance)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
