-- When somebody decided what to do about an update that a count had overtaken.
ALTER TABLE inventory_updates
    ADD COLUMN decided_at DATETIME(6) NULL COMMENT 'when the café decided about one that a count had overtaken';
