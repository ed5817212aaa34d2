-- Counting the whole shelf, bean by bean, by as many people as help.
CREATE TABLE stocktakes (
    id          BIGINT      NOT NULL AUTO_INCREMENT,
    started_by  BIGINT      NOT NULL,
    started_at  DATETIME(6) NOT NULL,
    finished_by BIGINT      NULL COMMENT 'who booked or dropped it',
    finished_at DATETIME(6) NULL,
    dropped     BOOLEAN     NOT NULL DEFAULT FALSE COMMENT 'finished without booking anything',
    going       TINYINT     NULL DEFAULT 1 COMMENT 'NULL once it is finished, so that there is one at a time',
    PRIMARY KEY (id),
    UNIQUE KEY uq_stocktakes_going (going),
    CONSTRAINT fk_stocktakes_started_by FOREIGN KEY (started_by) REFERENCES accounts (id),
    CONSTRAINT fk_stocktakes_finished_by FOREIGN KEY (finished_by) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
