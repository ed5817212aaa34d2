-- Which update ids have had their one end. Written in the transaction of the effect itself: whoever
-- inserts the row first wins, every other delivery of the same id finds it and changes nothing.
CREATE TABLE inbox (
    update_id    BINARY(16)  NOT NULL COMMENT 'binary, because a case-insensitive text key would merge different ids',
    payload_hash BINARY(32)  NOT NULL COMMENT 'SHA-256 of the meaning: the same id with another meaning is a conflict',
    outcome      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'applied, superseded or dead_lettered',
    repeats      INT         NOT NULL DEFAULT 0 COMMENT 'further deliveries that changed nothing',
    finished_at  DATETIME(6) NOT NULL,
    PRIMARY KEY (update_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
