-- Which slip an update belongs to, and which earlier update it replaces or corrects.
ALTER TABLE inventory_updates
    ADD COLUMN slip_id BIGINT NULL COMMENT 'the slip it was sent on; NULL if it came another way',
    ADD COLUMN follows_id BINARY(16) NULL COMMENT 'the update it fixes or corrects',
    ADD COLUMN follows_as VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'fix or correction',
    ADD KEY idx_inventory_updates_slip_id (slip_id),
    ADD KEY idx_inventory_updates_follows_id (follows_id),
    ADD KEY idx_inventory_updates_supplier_id_accepted_at (supplier_id, accepted_at);
