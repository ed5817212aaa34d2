-- What somebody has done with many dead letters at once: which they were is settled when it begins.
CREATE TABLE bulk_actions (
    id           BIGINT       NOT NULL AUTO_INCREMENT,
    kind         VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'resend or discard',
    title        VARCHAR(300) NOT NULL COMMENT 'what was chosen, in words',
    address      TEXT         NOT NULL COMMENT 'the path at which letters are chosen like this',
    why          VARCHAR(500) NULL COMMENT 'of one that discards',
    per_second   INT          NOT NULL,
    newest       BINARY(16)   NOT NULL COMMENT 'the id of the newest letter there was; later ones are left alone',
    started_by   BIGINT       NOT NULL,
    started_at   DATETIME(6)  NOT NULL,
    next_at      DATETIME(6)  NOT NULL COMMENT 'when the next letters are due; in the future while somebody works at some',
    stopped_by   BIGINT       NULL,
    finished_at  DATETIME(6)  NULL COMMENT 'when none was left, or somebody stopped it',
    PRIMARY KEY (id),
    KEY idx_bulk_actions_finished_at_next_at (finished_at, next_at),
    CONSTRAINT fk_bulk_actions_started_by FOREIGN KEY (started_by) REFERENCES accounts (id),
    CONSTRAINT fk_bulk_actions_stopped_by FOREIGN KEY (stopped_by) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
