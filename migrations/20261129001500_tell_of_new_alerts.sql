-- From now on the beginning of each is told.
ALTER TABLE alerts ALTER COLUMN untold SET DEFAULT 1;
