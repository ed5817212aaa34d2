-- E-mail to somebody, sent until the mail server takes it or refuses it for good. Its number is in its Message-ID.
CREATE TABLE mails (
    id              BIGINT       NOT NULL AUTO_INCREMENT,
    account_id      BIGINT       NOT NULL,
    subject         VARCHAR(300) NOT NULL,
    text_body       TEXT         NOT NULL,
    html_body       TEXT         NOT NULL,
    created_at      DATETIME(6)  NOT NULL,
    due_at          DATETIME(6)  NULL COMMENT 'in the future while somebody sends it, or until it is tried again; NULL once it has an end',
    attempts        INT          NOT NULL DEFAULT 0,
    sent_at         DATETIME(6)  NULL,
    failed_at       DATETIME(6)  NULL COMMENT 'given up',
    error           VARCHAR(500) NULL COMMENT 'of the last attempt that failed',
    acknowledged_at DATETIME(6)  NULL COMMENT 'its reader has seen that it failed',
    PRIMARY KEY (id),
    KEY idx_mails_due_at (due_at),
    KEY idx_mails_account_id_created_at (account_id, created_at),
    KEY idx_mails_created_at (created_at),
    CONSTRAINT fk_mails_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
