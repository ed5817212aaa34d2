-- The one row, which whoever makes a digest locks.
INSERT INTO digests (id) VALUES (1);
