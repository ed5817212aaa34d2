-- What happened in each minute, written down once it is over, so that a chart of a day reads 1,440 rows however
-- many updates there were. A minute in which no part of the program ran has no row.
CREATE TABLE update_minutes (
    minute         DATETIME NOT NULL COMMENT 'when it began',
    applied        BIGINT   NOT NULL,
    failed         BIGINT   NOT NULL COMMENT 'dead letters collected',
    waiting        BIGINT   NOT NULL COMMENT 'updates without an end when it was written down',
    oldest_seconds BIGINT   NULL COMMENT 'for how long the oldest of them had waited',
    PRIMARY KEY (minute)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
