-- Mail to a supplier is not sent to somebody who has become another one's, or the café's.
ALTER TABLE mails ADD COLUMN supplier_id BIGINT NULL COMMENT 'whose updates it is about; NULL for the café''s alerts';
