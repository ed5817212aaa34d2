-- What staff note on a group of dead letters: those of a reason, or of a reason and a supplier.
CREATE TABLE letter_notes (
    scope    VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the reason, and after a colon the supplier',
    note     VARCHAR(500) NOT NULL,
    noted_by BIGINT       NOT NULL,
    noted_at DATETIME(6)  NOT NULL,
    PRIMARY KEY (scope),
    CONSTRAINT fk_letter_notes_noted_by FOREIGN KEY (noted_by) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
