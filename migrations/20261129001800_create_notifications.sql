-- Something that one person is told: in their feed and, if they want that, in the next mail to them.
CREATE TABLE notifications (
    id         BIGINT       NOT NULL AUTO_INCREMENT,
    account_id BIGINT       NOT NULL,
    kind       VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    sentence   VARCHAR(700) NOT NULL,
    path       VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the page about it',
    at         DATETIME(6)  NOT NULL COMMENT 'when it happened',
    waiting    TINYINT      NULL COMMENT '1 while it waits for a mail that carries it',
    mail_id    BIGINT       NULL COMMENT 'the mail that carries it',
    PRIMARY KEY (id),
    KEY idx_notifications_waiting_account_id (waiting, account_id),
    KEY idx_notifications_account_id (account_id),
    KEY idx_notifications_at (at),
    CONSTRAINT fk_notifications_account_id FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT fk_notifications_mail_id FOREIGN KEY (mail_id) REFERENCES mails (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
