-- With the ids that end every key, it has the open letters in the order they came in.
ALTER TABLE dead_letters ADD KEY idx_dead_letters_state (state);
