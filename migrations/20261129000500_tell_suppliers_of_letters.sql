-- The supplier a letter claims to come from, as its update does: letters are grouped by reason and supplier.
ALTER TABLE dead_letters
    ADD COLUMN supplier_id BIGINT NULL COMMENT 'as claimed; NULL when the message could not be read',
    ADD KEY idx_dead_letters_state_reason_supplier_id (state, reason, supplier_id);
