-- What waits keeps its id, by which the topic knows a repeat.
INSERT INTO outbox_messages (id, destination, update_id, kind, message_group, body, attempts, due_at, published_at)
SELECT update_id, 'updates', update_id, kind, message_group, body, attempts, next_attempt_at, published_at
FROM outbox;
