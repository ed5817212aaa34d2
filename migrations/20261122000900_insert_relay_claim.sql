-- The row every relay locks.
INSERT INTO relay_claims (id) VALUES (1);
