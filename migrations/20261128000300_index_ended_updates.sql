-- What ended in the last minutes, without looking at the rows themselves.
ALTER TABLE inventory_updates
    ADD KEY idx_inventory_updates_finished_at (finished_at, state);
