-- Which process tried an update; NULL where no process of ours did, or one did before this was noted.
ALTER TABLE update_events ADD COLUMN instance BINARY(16) NULL
    COMMENT 'the process that did it, as in consumers';
