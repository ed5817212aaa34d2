-- The instances that read the stream; those that were heard of lately share its shards.
CREATE TABLE stream_workers (
    instance BINARY(16)  NOT NULL,
    seen_at  DATETIME(6) NOT NULL COMMENT 'by the database''s clock',
    PRIMARY KEY (instance)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
