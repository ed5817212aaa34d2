-- What else a supplier calls its beans, as the café has settled. The bean's own type goes before.
CREATE TABLE bean_aliases (
    supplier_id BIGINT       NOT NULL,
    alias_key   VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'by which names are compared',
    alias       VARCHAR(255) NOT NULL COMMENT 'as typed',
    bean_id     BIGINT       NOT NULL,
    added_by    BIGINT       NOT NULL,
    added_at    DATETIME(6)  NOT NULL,
    PRIMARY KEY (supplier_id, alias_key),
    CONSTRAINT fk_bean_aliases_supplier_id FOREIGN KEY (supplier_id) REFERENCES suppliers (id),
    CONSTRAINT fk_bean_aliases_bean_id FOREIGN KEY (bean_id) REFERENCES beans (id),
    CONSTRAINT fk_bean_aliases_added_by FOREIGN KEY (added_by) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
