-- When letters came, and when they were closed.
ALTER TABLE dead_letters
    ADD KEY idx_dead_letters_collected_at (collected_at),
    ADD KEY idx_dead_letters_closed_at (closed_at);
