-- What somebody told us about beans, from its first sight to its one end.
-- Supplier and bean are stored as claimed: they may not exist, and then the state says so.
CREATE TABLE inventory_updates (
    id              BINARY(16)    NOT NULL COMMENT 'UUIDv7 of ours, or derived from the SNS or SQS message id',
    payload_hash    BINARY(32)    NOT NULL COMMENT 'SHA-256 of the meaning: another meaning under the same id is another update',
    origin          VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'web, csv, api or external',
    supplier_id     BIGINT        NULL COMMENT 'as claimed; NULL when the message could not be read',
    bean_type       VARCHAR(255)  NULL COMMENT 'as claimed',
    bean_id         BIGINT        NULL COMMENT 'the bean it was found to mean',
    kind            VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'delivery, return, out_of_stock or count',
    quantity        BIGINT        NULL COMMENT 'bags',
    reference       VARCHAR(64)   NULL COMMENT 'the sender''s own reference',
    note            VARCHAR(500)  NULL,
    occurred_at     DATETIME(6)   NULL COMMENT 'when the sender says it happened',
    state           VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL
                    COMMENT 'accepted, published, refused, applied, superseded, dead_lettered, fixed, resent or discarded',
    reason          VARCHAR(24)   CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'code of the last refusal',
    explanation     VARCHAR(1000) NULL COMMENT 'the last refusal in plain words',
    attempts        INT           NOT NULL DEFAULT 0 COMMENT 'refusals so far',
    quantity_before BIGINT        NULL,
    quantity_after  BIGINT        NULL,
    accepted_at     DATETIME(6)   NOT NULL COMMENT 'first seen by us',
    finished_at     DATETIME(6)   NULL,
    PRIMARY KEY (id),
    KEY idx_inventory_updates_accepted_at (accepted_at),
    KEY idx_inventory_updates_state_accepted_at (state, accepted_at),
    KEY idx_inventory_updates_bean_id_accepted_at (bean_id, accepted_at),
    CONSTRAINT fk_inventory_updates_bean_id FOREIGN KEY (bean_id) REFERENCES beans (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
