-- What is to be sent to a destination, and sent again until it is done with. Written in the transaction
-- that wants it sent. A row has an id of its own; the update it carries, if it carries one, is data.
CREATE TABLE outbox_messages (
    id            BINARY(16)   NOT NULL COMMENT 'UUIDv7: ordered by time; the deduplication id',
    destination   VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'which publisher sends it',
    update_id     BINARY(16)   NULL COMMENT 'the update it carries',
    kind          VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'of that update',
    message_group VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'SQS quota: 128 characters',
    body          TEXT         NOT NULL,
    attempts      INT          NOT NULL DEFAULT 0,
    due_at        DATETIME(6)  NOT NULL COMMENT 'in the future while a relay has it, or until it is due again',
    published_at  DATETIME(6)  NULL,
    PRIMARY KEY (id),
    KEY idx_outbox_messages_destination_due_at (destination, due_at),
    KEY idx_outbox_messages_destination_message_group (destination, message_group, id),
    KEY idx_outbox_messages_update_id (update_id),
    CONSTRAINT fk_outbox_messages_update_id FOREIGN KEY (update_id) REFERENCES inventory_updates (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
