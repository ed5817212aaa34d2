-- Where alerts are announced, and whether that works: the topic of alerts and each webhook.
CREATE TABLE announcement_targets (
    destination   VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name          VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'of a webhook; empty for the topic',
    sent_at       DATETIME(6)  NULL COMMENT 'when it last took one',
    failing_since DATETIME(6)  NULL COMMENT 'NULL while it takes them',
    given_up      INT          NOT NULL DEFAULT 0 COMMENT 'how many it has never taken since somebody last looked',
    seen_at       DATETIME(6)  NULL COMMENT 'when somebody saw that it fails',
    PRIMARY KEY (destination, name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
