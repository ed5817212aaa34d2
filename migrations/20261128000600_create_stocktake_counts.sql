-- What was counted so far; booked when the stocktake is finished.
CREATE TABLE stocktake_counts (
    stocktake_id BIGINT       NOT NULL,
    bean_id      BIGINT       NOT NULL,
    bags         BIGINT       NOT NULL,
    counted_at   DATETIME(6)  NOT NULL,
    counted_by   BIGINT       NOT NULL,
    movement     BIGINT       NULL COMMENT 'the sequence of the movement that booked it',
    problem      VARCHAR(500) NULL COMMENT 'why it was not booked',
    PRIMARY KEY (stocktake_id, bean_id),
    CONSTRAINT fk_stocktake_counts_stocktake_id FOREIGN KEY (stocktake_id) REFERENCES stocktakes (id),
    CONSTRAINT fk_stocktake_counts_bean_id FOREIGN KEY (bean_id) REFERENCES beans (id),
    CONSTRAINT fk_stocktake_counts_counted_by FOREIGN KEY (counted_by) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
