-- At how many bags a bean counts as low.
ALTER TABLE beans
    ADD COLUMN alert_at BIGINT NULL COMMENT 'low at so many bags or fewer; NULL for no such line';
