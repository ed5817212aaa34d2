-- One row that a relay locks while it picks work, so that two relays never split a message group.
-- The lock lasts as long as the picking (milliseconds), not the publishing.
CREATE TABLE relay_claims (
    id TINYINT NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;
