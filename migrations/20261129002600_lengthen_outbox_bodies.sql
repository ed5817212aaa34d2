-- A digest of many long names is longer than an update ever is.
ALTER TABLE outbox_messages MODIFY body MEDIUMTEXT NOT NULL;
