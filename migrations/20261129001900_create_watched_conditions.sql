-- What is told when it begins and when it is over, and is no row of its own anywhere.
CREATE TABLE watched_conditions (
    code    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    since   DATETIME(6) NULL COMMENT 'when it was told to have begun; NULL while it is not so',
    good_at DATETIME(6) NULL COMMENT 'when it was last seen not to be so',
    PRIMARY KEY (code)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
