-- When something was last announced: one message a minute is enough, however many instances there are.
CREATE TABLE digests (
    id      TINYINT     NOT NULL,
    made_at DATETIME(6) NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
