-- A supplier's updates in one state, newest first.
ALTER TABLE inventory_updates
    ADD KEY idx_inventory_updates_supplier_id_state_accepted_at (supplier_id, state, accepted_at);
