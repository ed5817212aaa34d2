-- Which consumers run, as they say themselves every few seconds. One that has been silent is not believed.
CREATE TABLE consumers (
    instance        BINARY(16)    NOT NULL COMMENT 'of a process, from its start to its end',
    queue           VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'updates, undelivered or dead_letters',
    version         VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the program',
    started_at      DATETIME(6)   NOT NULL,
    seen_at         DATETIME(6)   NOT NULL COMMENT 'when it last said so, by the database''s clock',
    last_receive_at DATETIME(6)   NULL COMMENT 'when the queue last answered it',
    last_error_at   DATETIME(6)   NULL,
    last_error      VARCHAR(500)  NULL,
    in_hand         INT           NOT NULL DEFAULT 0 COMMENT 'messages received and not settled',
    PRIMARY KEY (instance, queue),
    KEY idx_consumers_seen_at (seen_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
