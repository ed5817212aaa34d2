-- In version 0.1 an update had one content only.
UPDATE update_events AS e
JOIN inventory_updates AS u ON u.id = e.update_id
SET e.payload_hash = u.payload_hash
WHERE e.event NOT IN ('accepted', 'published') AND e.payload_hash IS NULL;
