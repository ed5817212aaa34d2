-- The ledger. Every bag in `beans.quantity` is explained by a row here; rows are only ever added.
-- The key is per bean and dense, so that a missing or doubled row shows (audit checks the chain).
CREATE TABLE stock_movements (
    bean_id        BIGINT       NOT NULL,
    sequence       BIGINT       NOT NULL COMMENT '1, 2, 3 … within the bean',
    kind           VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                   COMMENT 'opening, delivery, return, count, correction or removal',
    change_by      BIGINT       NOT NULL COMMENT 'bags added; negative when taken away',
    quantity_after BIGINT       NOT NULL,
    update_id      BINARY(16)   NULL COMMENT 'the update that caused it; NULL for opening stock and staff corrections',
    reason         VARCHAR(500) NULL COMMENT 'why, in the words of whoever corrected the stock',
    created_at     DATETIME(6)  NOT NULL,
    PRIMARY KEY (bean_id, sequence),
    UNIQUE KEY uq_stock_movements_update_id (update_id),
    CONSTRAINT fk_stock_movements_bean_id FOREIGN KEY (bean_id) REFERENCES beans (id),
    CONSTRAINT ck_stock_movements_quantity_after CHECK (quantity_after >= 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
