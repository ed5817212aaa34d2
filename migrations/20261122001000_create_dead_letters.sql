-- Messages the queue gave up on, kept where they can be searched, fixed and kept for longer than
-- the fourteen days SQS allows.
CREATE TABLE dead_letters (
    id            BINARY(16)    NOT NULL COMMENT 'UUIDv7',
    message_id    VARCHAR(100)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SQS message id: collected once',
    update_id     BINARY(16)    NOT NULL,
    body          MEDIUMTEXT    NOT NULL COMMENT 'as received; up to 1 MiB',
    attributes    MEDIUMTEXT    NOT NULL COMMENT 'JSON object: system and message attributes',
    receive_count INT           NOT NULL,
    reason        VARCHAR(24)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    explanation   VARCHAR(1000) NOT NULL,
    state         VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'open'
                  COMMENT 'open, fixed, resent or discarded',
    sent_at       DATETIME(6)   NULL COMMENT 'when the queue got it',
    collected_at  DATETIME(6)   NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_dead_letters_message_id (message_id),
    KEY idx_dead_letters_state_collected_at (state, collected_at),
    KEY idx_dead_letters_update_id (update_id),
    CONSTRAINT fk_dead_letters_update_id FOREIGN KEY (update_id) REFERENCES inventory_updates (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
