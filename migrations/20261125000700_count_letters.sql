-- One open letter for an update, on which further copies that are given up are counted.
ALTER TABLE dead_letters
    MODIFY COLUMN receive_count INT NULL COMMENT 'the source queue''s last one that we saw; NULL if we never handled the message',
    ADD COLUMN open_update_id BINARY(16) GENERATED ALWAYS AS (CASE WHEN state = 'open' THEN update_id END) VIRTUAL,
    ADD COLUMN arrivals INT NOT NULL DEFAULT 1 COMMENT 'how many copies the queue has given up',
    ADD COLUMN last_message_id VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the copy that was counted last',
    ADD COLUMN closed_at DATETIME(6) NULL,
    ADD COLUMN closed_by VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the message that was applied after all',
    ADD UNIQUE KEY uq_dead_letters_open_update_id (open_update_id);
