-- What somebody sent at once with the form of the website: up to twenty updates under one number. The form's
-- key makes sending it twice one slip, whatever became of the first answer.
CREATE TABLE slips (
    id           BIGINT      NOT NULL AUTO_INCREMENT,
    number       CHAR(9)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'without BR and hyphens; the last character checks the others',
    supplier_id  BIGINT      NOT NULL COMMENT 'for whom it was sent',
    account_id   BIGINT      NOT NULL COMMENT 'who sent it',
    form_key     BINARY(32)  NOT NULL COMMENT 'SHA-256 of the account and the form''s key',
    content_hash BINARY(32)  NOT NULL COMMENT 'SHA-256 of what was typed',
    created_at   DATETIME(6) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_slips_number (number),
    UNIQUE KEY uq_slips_form_key (form_key),
    CONSTRAINT fk_slips_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
