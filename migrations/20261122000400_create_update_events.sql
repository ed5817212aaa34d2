-- The timeline of an update: what happened to it, when and, if it was refused, why. Append-only.
CREATE TABLE update_events (
    id          BIGINT        NOT NULL AUTO_INCREMENT,
    update_id   BINARY(16)    NOT NULL,
    at          DATETIME(6)   NOT NULL,
    event       VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                COMMENT 'accepted, published, refused, applied, superseded or dead_lettered',
    reason      VARCHAR(24)   CHARACTER SET ascii COLLATE ascii_bin NULL,
    explanation VARCHAR(1000) NULL,
    PRIMARY KEY (id),
    KEY idx_update_events_update_id (update_id),
    CONSTRAINT fk_update_events_update_id FOREIGN KEY (update_id) REFERENCES inventory_updates (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
