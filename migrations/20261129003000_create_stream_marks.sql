-- How far each bean's movements are on the stream: the ledger is its own outbox. Kept apart from `beans`, and without a
-- key to it, so that no update waits for the relay.
CREATE TABLE stream_marks (
    bean_id     BIGINT      NOT NULL,
    snapshot_at BIGINT      NOT NULL COMMENT 'the movement as of which the bean''s first record gives its stock; 0 before the first',
    streamed    BIGINT      NULL COMMENT 'the newest movement on the stream; NULL until the snapshot is',
    streamed_at DATETIME(6) NULL COMMENT 'when something was last put on the stream',
    epoch       BIGINT      NOT NULL DEFAULT 0 COMMENT 'counts leases: a relay that was overtaken does not move the mark',
    attempts    INT         NOT NULL DEFAULT 0 COMMENT 'how often in a row the stream has not taken it',
    due_at      DATETIME(6) NOT NULL COMMENT 'not before: another relay has it until then, or the stream was busy',
    PRIMARY KEY (bean_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
