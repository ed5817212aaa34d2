-- Who is signed in where. Only the hash of a session's token is kept, so that whoever reads this table
-- cannot use it.
CREATE TABLE sessions (
    id           BIGINT       NOT NULL AUTO_INCREMENT,
    token_hash   BINARY(32)   NOT NULL COMMENT 'SHA-256',
    account_id   BIGINT       NOT NULL,
    address      VARCHAR(45)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'where it began',
    browser      VARCHAR(200) NOT NULL COMMENT 'how the browser called itself',
    created_at   DATETIME(6)  NOT NULL,
    last_seen_at DATETIME(6)  NOT NULL COMMENT 'to the minute or so',
    PRIMARY KEY (id),
    UNIQUE KEY uq_sessions_token_hash (token_hash),
    KEY idx_sessions_account_id (account_id),
    KEY idx_sessions_last_seen_at (last_seen_at),
    CONSTRAINT fk_sessions_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
