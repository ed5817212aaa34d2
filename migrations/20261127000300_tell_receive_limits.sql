-- Of how many receives an attempt was one: a queue's limit may change, so it is a fact of the attempt.
ALTER TABLE update_events
    ADD COLUMN receive_limit INT NULL COMMENT 'receives after which the queue gave the message up; NULL if never';
