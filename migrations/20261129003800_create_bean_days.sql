-- How many bags of a bean went on each day, as the stream tells: what forecasts are made from.
CREATE TABLE bean_days (
    bean_id BIGINT NOT NULL,
    day     DATE   NOT NULL COMMENT 'in the café''s time zone',
    uses    BIGINT NOT NULL DEFAULT 0 COMMENT 'how often bags were used',
    used    BIGINT NOT NULL DEFAULT 0 COMMENT 'bags',
    counts  BIGINT NOT NULL DEFAULT 0 COMMENT 'how often they were counted',
    missing BIGINT NOT NULL DEFAULT 0 COMMENT 'bags that counts found missing; negative if there were more',
    PRIMARY KEY (bean_id, day),
    KEY idx_bean_days_day (day)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
