-- Version 0.1 let a late refusal overwrite an end. The inbox, the movement, the timeline and the dead
-- letter still know what the end was.
UPDATE inventory_updates AS u
JOIN inbox AS i ON i.update_id = u.id
LEFT JOIN stock_movements AS m ON m.update_id = u.id
LEFT JOIN dead_letters AS d ON d.update_id = u.id AND i.outcome = 'dead_lettered'
SET
    u.state = i.outcome,
    u.finished_at = i.finished_at,
    u.bean_id = COALESCE(u.bean_id, m.bean_id),
    u.quantity_before = m.quantity_after - m.change_by,
    u.quantity_after = m.quantity_after,
    u.reason = CASE i.outcome WHEN 'superseded' THEN 'superseded' ELSE d.reason END,
    u.explanation = CASE i.outcome
        WHEN 'superseded' THEN (
            SELECT MAX(e.explanation) FROM update_events AS e WHERE e.update_id = u.id AND e.event = 'superseded'
        )
        ELSE d.explanation
    END
WHERE u.state <> i.outcome AND i.outcome IN ('applied', 'superseded', 'dead_lettered');
