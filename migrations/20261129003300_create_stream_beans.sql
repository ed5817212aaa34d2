-- A bean as its movements on the stream tell: the second witness of its stock, which never looks into the ledger.
CREATE TABLE stream_beans (
    bean_id       BIGINT       NOT NULL,
    base_sequence BIGINT       NOT NULL COMMENT 'the movement of the snapshot it began with',
    base_quantity BIGINT       NOT NULL COMMENT 'bags then',
    seen          BIGINT       NOT NULL COMMENT 'the newest movement that was counted',
    quantity      BIGINT       NOT NULL COMMENT 'bags by the snapshot and all changes since',
    since         DATETIME(6)  NOT NULL COMMENT 'from when on its movements are known',
    usual         VARCHAR(1000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                  COMMENT 'sizes of its latest movements by kind, to tell what is unusual; JSON',
    seen_at       DATETIME(6)  NOT NULL,
    runs_out_on   DATE         NULL COMMENT 'the day on which it is likely to run out; NULL if that is unknown or far away',
    forecast_at   DATETIME(6)  NULL COMMENT 'when that was last worked out',
    PRIMARY KEY (bean_id),
    KEY idx_stream_beans_runs_out_on (runs_out_on)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
