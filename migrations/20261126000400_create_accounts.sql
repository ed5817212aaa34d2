-- Who may sign in. A row stays for ever, because activity names it; whoever leaves is disabled.
CREATE TABLE accounts (
    id            BIGINT       NOT NULL AUTO_INCREMENT,
    email         VARCHAR(255) NOT NULL COMMENT 'as typed',
    email_key     VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the same for two spellings of one address',
    name          VARCHAR(100) NOT NULL,
    role          VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'supplier, viewer, staff, manager',
    supplier_id   BIGINT       NULL COMMENT 'whose account it is, if the role is supplier',
    password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'argon2id in PHC form; NULL until the invited has chosen one',
    demonstration BOOLEAN      NOT NULL DEFAULT FALSE COMMENT 'made by local mode, with a password that others may know',
    time_zone     VARCHAR(64)  NULL COMMENT 'IANA name; NULL for the café''s',
    color_scheme  VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'light or dark; NULL for the system''s',
    disabled_at   DATETIME(6)  NULL,
    created_at    DATETIME(6)  NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_accounts_email_key (email_key),
    KEY idx_accounts_role (role),
    CONSTRAINT fk_accounts_supplier_id FOREIGN KEY (supplier_id) REFERENCES suppliers (id),
    CONSTRAINT ck_accounts_supplier CHECK ((role = 'supplier') = (supplier_id IS NOT NULL))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
