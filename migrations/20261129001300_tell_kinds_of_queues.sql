-- Versions before this one say nothing; their queues are nearly always FIFO.
ALTER TABLE consumers ADD COLUMN is_fifo BOOLEAN NOT NULL DEFAULT TRUE
    COMMENT 'whether messages of a group wait for each other';
