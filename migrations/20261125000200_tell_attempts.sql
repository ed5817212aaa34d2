-- Which content was tried, in which message and at which of its receives: a refused update may be
-- corrected under its own id, and then a late copy of the older content is a duplicate.
ALTER TABLE update_events
    ADD COLUMN payload_hash BINARY(32) NULL COMMENT 'SHA-256 of the meaning that was tried',
    ADD COLUMN message_id VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'what SQS calls the message',
    ADD COLUMN receive_count INT NULL COMMENT 'which receive of the message this was';
