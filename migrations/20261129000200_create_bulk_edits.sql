-- Prices and alert lines that somebody changed for several beans at once, to be shown and undone as one.
CREATE TABLE bulk_edits (
    id        BIGINT      NOT NULL AUTO_INCREMENT,
    edited_by BIGINT      NOT NULL,
    edited_at DATETIME(6) NOT NULL,
    undone_by BIGINT      NULL,
    undone_at DATETIME(6) NULL,
    PRIMARY KEY (id),
    CONSTRAINT fk_bulk_edits_edited_by FOREIGN KEY (edited_by) REFERENCES accounts (id),
    CONSTRAINT fk_bulk_edits_undone_by FOREIGN KEY (undone_by) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
