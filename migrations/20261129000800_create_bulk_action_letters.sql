-- The letters of a bulk action, oldest first.
CREATE TABLE bulk_action_letters (
    action_id BIGINT      NOT NULL,
    letter_id BINARY(16)  NOT NULL,
    state     VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'waiting'
              COMMENT 'waiting, done, skipped or stopped',
    arrivals  INT         NULL COMMENT 'how many copies the queue had given up when another was sent',
    done_at   DATETIME(6) NULL,
    PRIMARY KEY (action_id, letter_id),
    KEY idx_bulk_action_letters_action_id_state (action_id, state, letter_id),
    KEY idx_bulk_action_letters_letter_id (letter_id),
    CONSTRAINT fk_bulk_action_letters_action_id FOREIGN KEY (action_id) REFERENCES bulk_actions (id),
    CONSTRAINT fk_bulk_action_letters_letter_id FOREIGN KEY (letter_id) REFERENCES dead_letters (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
