-- From now on the beginning of each is told.
ALTER TABLE alerts ALTER COLUMN unnotified SET DEFAULT 1;
