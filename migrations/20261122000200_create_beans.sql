-- One kind of bean from one supplier, and how many bags of it the café has.
-- `quantity` always equals the sum of the bean's rows in stock_movements.
CREATE TABLE beans (
    id                 BIGINT         NOT NULL AUTO_INCREMENT,
    supplier_id        BIGINT         NOT NULL,
    type               VARCHAR(255)   NOT NULL COMMENT 'as typed',
    type_key           VARCHAR(255)   CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL
                       COMMENT 'lower case, trimmed; NULL once removed, so that the type can be added anew',
    product_name       VARCHAR(255)   NOT NULL,
    price              DECIMAL(10, 2) NOT NULL COMMENT 'US dollars a bag',
    description        VARCHAR(1000)  NOT NULL,
    quantity           BIGINT         NOT NULL DEFAULT 0 COMMENT 'bags in stock',
    last_movement      BIGINT         NOT NULL DEFAULT 0 COMMENT 'sequence of the newest stock movement',
    moved_at           DATETIME(6)    NULL COMMENT 'when stock last changed; an older count does not overwrite it',
    counted_at         DATETIME(6)    NULL COMMENT 'when bags were last counted',
    out_of_stock_since DATETIME(6)    NULL COMMENT 'the supplier said it has none',
    created_at         DATETIME(6)    NOT NULL,
    updated_at         DATETIME(6)    NOT NULL,
    removed_at         DATETIME(6)    NULL,
    PRIMARY KEY (id),
    UNIQUE KEY uq_beans_supplier_id_type_key (supplier_id, type_key),
    CONSTRAINT fk_beans_supplier_id FOREIGN KEY (supplier_id) REFERENCES suppliers (id),
    CONSTRAINT ck_beans_quantity CHECK (quantity >= 0),
    CONSTRAINT ck_beans_price CHECK (price >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
