-- A supplier who wants mail about updates that need attention.
ALTER TABLE accounts
    ADD COLUMN needs_mailed_until DATETIME(6) NULL COMMENT 'updates that were given up until then were told of; NULL for no such mail';
