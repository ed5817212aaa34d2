-- What is to be told of an alert: 1 that it has begun, 2 that it is over, 3 both; NULL once it was. Those that are
-- there already were not asked for.
ALTER TABLE alerts
    ADD COLUMN unnotified TINYINT NULL COMMENT '1 its beginning, 2 its end, 3 both',
    ADD KEY idx_alerts_unnotified (unnotified);
