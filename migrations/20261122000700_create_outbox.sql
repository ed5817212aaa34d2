-- Updates we accepted and that have not been seen finished yet. Written in the transaction that
-- accepts the update; deleted in the one that finishes it. What lies here too long is published again.
CREATE TABLE outbox (
    update_id       BINARY(16)   NOT NULL COMMENT 'UUIDv7: ordered by time of acceptance',
    message_group   VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'SQS quota: 128 characters',
    body            TEXT         NOT NULL,
    kind            VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    attempts        INT          NOT NULL DEFAULT 0,
    next_attempt_at DATETIME(6)  NOT NULL COMMENT 'in the future while a relay has it, or until it is due again',
    published_at    DATETIME(6)  NULL,
    PRIMARY KEY (update_id),
    KEY idx_outbox_next_attempt_at (next_attempt_at),
    KEY idx_outbox_message_group (message_group, update_id),
    CONSTRAINT fk_outbox_update_id FOREIGN KEY (update_id) REFERENCES inventory_updates (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
