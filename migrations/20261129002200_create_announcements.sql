-- What the café's topic of alerts and its webhooks are still to be told; a row ends when a message carries it.
CREATE TABLE announcements (
    id          BIGINT       NOT NULL AUTO_INCREMENT,
    kind        VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    sentence    VARCHAR(700) NOT NULL,
    path        VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the page about it',
    bean_id     BIGINT       NULL COMMENT 'the bean it is about; no key, so that a bean can be taken off the list',
    supplier_id BIGINT       NULL COMMENT 'its supplier',
    at          DATETIME(6)  NOT NULL COMMENT 'when it happened',
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
