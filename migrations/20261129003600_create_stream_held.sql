-- Records of a bean that came before an earlier movement of it: they wait here for that one, and the shard goes on.
CREATE TABLE stream_held (
    bean_id         BIGINT       NOT NULL,
    sequence_number VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    stream          VARCHAR(160) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'as in stream_shards',
    shard_id        VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    first_sequence  BIGINT       NOT NULL,
    record          MEDIUMTEXT   NOT NULL,
    held_at         DATETIME(6)  NOT NULL,
    PRIMARY KEY (bean_id, sequence_number)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
