-- Browsers in which the owner of an account has signed in before. Others who guess at the password do not
-- keep the owner out of these.
CREATE TABLE known_browsers (
    token_hash   BINARY(32)  NOT NULL COMMENT 'SHA-256',
    account_id   BIGINT      NOT NULL,
    last_seen_at DATETIME(6) NOT NULL,
    PRIMARY KEY (token_hash),
    KEY idx_known_browsers_account_id (account_id),
    KEY idx_known_browsers_last_seen_at (last_seen_at),
    CONSTRAINT fk_known_browsers_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
