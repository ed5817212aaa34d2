-- What its sender calls an update. An id belongs to its supplier, so the key is both: two suppliers may
-- use one id. Version 0.1 had one id for both; its rows, also those it may still write while instances
-- are replaced one by one, get that one, so that a repeat from before is known as one.
ALTER TABLE inventory_updates
    ADD COLUMN sender_id BINARY(16) NULL DEFAULT (id) COMMENT 'the sender''s id, or the broker''s' AFTER id,
    ADD COLUMN sent_at DATETIME(6) NULL COMMENT 'when it was sent; stands in where occurred_at is not given' AFTER occurred_at,
    ADD UNIQUE KEY uq_inventory_updates_supplier_id_sender_id (supplier_id, sender_id),
    ADD KEY idx_inventory_updates_sender_id (sender_id);
