-- What somebody wants to be told, and how.
CREATE TABLE notification_preferences (
    account_id          BIGINT      NOT NULL,
    low                 BOOLEAN     NOT NULL,
    out_of_stock        BOOLEAN     NOT NULL,
    out_at_supplier     BOOLEAN     NOT NULL,
    recovered           BOOLEAN     NOT NULL,
    letters_after_hours SMALLINT    NULL COMMENT 'tell of dead letters that wait for longer; NULL for never',
    stopped             BOOLEAN     NOT NULL COMMENT 'tell when no consumer runs',
    by_mail             BOOLEAN     NOT NULL,
    digest_at           SMALLINT    NULL COMMENT 'minutes after midnight in their zone; NULL for at once',
    quiet_from          SMALLINT    NULL COMMENT 'no mail from here, in minutes after midnight',
    quiet_until         SMALLINT    NULL COMMENT 'to here',
    feed_hash           BINARY(32)  NULL COMMENT 'SHA-256 of the secret in the address of their feed',
    letters_notified        BOOLEAN     NOT NULL DEFAULT FALSE COMMENT 'they were told of the dead letters that wait now',
    updated_at          DATETIME(6) NOT NULL,
    PRIMARY KEY (account_id),
    UNIQUE KEY uq_notification_preferences_feed_hash (feed_hash),
    CONSTRAINT fk_notification_preferences_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
