-- Links with which somebody chooses a password, once: an invitation, or a way back in. An account has at
-- most one; a newer one replaces it.
CREATE TABLE account_links (
    account_id BIGINT      NOT NULL,
    token_hash BINARY(32)  NOT NULL COMMENT 'SHA-256',
    created_at DATETIME(6) NOT NULL,
    expires_at DATETIME(6) NOT NULL,
    PRIMARY KEY (account_id),
    UNIQUE KEY uq_account_links_token_hash (token_hash),
    CONSTRAINT fk_account_links_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
