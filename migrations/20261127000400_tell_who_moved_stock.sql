-- When the bags of a movement moved, who booked it by hand, and which earlier movement it takes back.
ALTER TABLE stock_movements
    MODIFY COLUMN kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
        COMMENT 'opening, delivery, return, use, received, damaged, sent_back, correction, other, count, undo or removal',
    ADD COLUMN occurred_at DATETIME(6) NULL COMMENT 'when the bags moved; NULL if that is when it was booked',
    ADD COLUMN account_id BIGINT NULL COMMENT 'who booked it by hand',
    ADD COLUMN undoes BIGINT NULL COMMENT 'the sequence of the movement that it takes back',
    ADD UNIQUE KEY uq_stock_movements_bean_id_undoes (bean_id, undoes),
    ADD KEY idx_stock_movements_bean_id_created_at (bean_id, created_at),
    ADD CONSTRAINT fk_stock_movements_account_id FOREIGN KEY (account_id) REFERENCES accounts (id);
