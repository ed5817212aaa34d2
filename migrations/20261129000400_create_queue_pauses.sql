-- Queues that nobody is to receive from for now: somebody has said so, and why.
CREATE TABLE queue_pauses (
    queue     VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the code of its role',
    paused_by BIGINT       NOT NULL,
    paused_at DATETIME(6)  NOT NULL,
    reason    VARCHAR(500) NOT NULL,
    PRIMARY KEY (queue),
    CONSTRAINT fk_queue_pauses_paused_by FOREIGN KEY (paused_by) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
