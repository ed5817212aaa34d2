-- A letter whose message was sent again and refused: its group waits for it until it is applied or back.
ALTER TABLE dead_letters
    ADD COLUMN tried_at DATETIME(6) NULL COMMENT 'when that was the last time; NULL once it is back',
    ADD KEY idx_dead_letters_tried_at (tried_at);
