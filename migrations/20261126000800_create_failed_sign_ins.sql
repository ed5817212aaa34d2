-- Attempts to sign in that failed: one counted row per account, address and minute, so that an attack
-- does not fill the disk. Rows older than a day are of no use any more.
CREATE TABLE failed_sign_ins (
    account  BINARY(32)  NOT NULL COMMENT 'SHA-256 of the address that was typed, whether there is such an account or not',
    origin   VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the network address, or "known" for a browser of the owner''s',
    minute   DATETIME    NOT NULL,
    attempts INT         NOT NULL,
    PRIMARY KEY (account, origin, minute),
    KEY idx_failed_sign_ins_origin_minute (origin, minute),
    KEY idx_failed_sign_ins_minute (minute)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
