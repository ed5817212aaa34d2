-- Forms that were sent and saved: the same form sent twice, by a double click or a slow line, has one
-- effect. Rows older than a month are of no use any more.
CREATE TABLE submissions (
    id         BINARY(32)  NOT NULL COMMENT 'SHA-256 of the form''s key and content',
    result_id  BIGINT      NOT NULL COMMENT 'the supplier or bean that was added',
    created_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    KEY idx_submissions_created_at (created_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
