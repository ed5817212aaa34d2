-- All of it was moved to outbox_messages.
DROP TABLE outbox;
