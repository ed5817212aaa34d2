-- A stocktake whose counts are being booked cannot be dropped any more, even if the program is killed meanwhile.
ALTER TABLE stocktakes
    ADD COLUMN booking_at DATETIME(6) NULL COMMENT 'since when its counts are being booked' AFTER started_at;
