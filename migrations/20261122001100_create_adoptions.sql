-- That the tables of the lab's app were taken over, and what was decided about values that did not
-- fit. Written in the transaction that copies the rows: without this row nothing was copied.
CREATE TABLE adoptions (
    id         TINYINT     NOT NULL COMMENT 'always 1: a database is taken over once',
    suppliers  BIGINT      NOT NULL COMMENT 'how many there were afterwards',
    beans      BIGINT      NOT NULL COMMENT 'how many there were afterwards',
    decisions  MEDIUMTEXT  NOT NULL COMMENT 'JSON list of sentences',
    adopted_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
