-- Whether no consumer runs.
INSERT INTO watched_conditions (code, since) VALUES ('stopped', NULL);
