-- What somebody should know about a bean's stock: written in the transaction that crosses the line.
CREATE TABLE alerts (
    id              BIGINT      NOT NULL AUTO_INCREMENT,
    bean_id         BIGINT      NOT NULL,
    kind            VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'low, out or out_at_supplier',
    quantity        BIGINT      NOT NULL COMMENT 'bags in stock when it began',
    alert_at        BIGINT      NULL COMMENT 'where the line was then',
    began_at        DATETIME(6) NOT NULL,
    ended_at        DATETIME(6) NULL,
    acknowledged_at DATETIME(6) NULL,
    acknowledged_by BIGINT      NULL,
    muted_until     DATETIME(6) NULL,
    going           TINYINT     NULL DEFAULT 1 COMMENT 'NULL once it has ended, so that there is one at a time',
    PRIMARY KEY (id),
    UNIQUE KEY uq_alerts_bean_id_kind_going (bean_id, kind, going),
    KEY idx_alerts_going (going, began_at),
    KEY idx_alerts_ended_at (ended_at),
    CONSTRAINT fk_alerts_bean_id FOREIGN KEY (bean_id) REFERENCES beans (id),
    CONSTRAINT fk_alerts_acknowledged_by FOREIGN KEY (acknowledged_by) REFERENCES accounts (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
