-- What people did: only ever added to.
CREATE TABLE activity (
    id         BIGINT       NOT NULL AUTO_INCREMENT,
    at         DATETIME(6)  NOT NULL,
    actor_id   BIGINT       NULL COMMENT 'who did it; NULL for whoever runs the program',
    action     VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    account_id BIGINT       NULL COMMENT 'to whom',
    details    VARCHAR(500) NOT NULL DEFAULT '' COMMENT 'what changed, or why',
    address    VARCHAR(45)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'from where',
    PRIMARY KEY (id),
    KEY idx_activity_account_id (account_id),
    CONSTRAINT fk_activity_actor_id FOREIGN KEY (actor_id) REFERENCES accounts (id),
    CONSTRAINT fk_activity_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
