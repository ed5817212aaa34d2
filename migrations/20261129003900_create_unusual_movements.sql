-- Movements that are far larger or smaller than those of their kind usually are.
CREATE TABLE unusual_movements (
    bean_id   BIGINT      NOT NULL,
    sequence  BIGINT      NOT NULL,
    kind      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    change_by BIGINT      NOT NULL,
    usual     BIGINT      NOT NULL COMMENT 'the median of those before it',
    at        DATETIME(6) NOT NULL COMMENT 'when the bags moved',
    PRIMARY KEY (bean_id, sequence),
    KEY idx_unusual_movements_at (at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
