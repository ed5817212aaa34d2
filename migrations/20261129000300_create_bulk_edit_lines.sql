-- What a bulk edit changed of one bean: both values before and after, equal where it left one as it was.
CREATE TABLE bulk_edit_lines (
    edit_id         BIGINT         NOT NULL,
    bean_id         BIGINT         NOT NULL,
    price_before    DECIMAL(10, 2) NOT NULL,
    price_after     DECIMAL(10, 2) NOT NULL,
    alert_at_before BIGINT         NULL,
    alert_at_after  BIGINT         NULL,
    PRIMARY KEY (edit_id, bean_id),
    CONSTRAINT fk_bulk_edit_lines_edit_id FOREIGN KEY (edit_id) REFERENCES bulk_edits (id),
    CONSTRAINT fk_bulk_edit_lines_bean_id FOREIGN KEY (bean_id) REFERENCES beans (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
