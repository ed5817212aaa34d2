-- The letters that wait.
UPDATE dead_letters AS d
JOIN inventory_updates AS u ON u.id = d.update_id
SET d.supplier_id = u.supplier_id
WHERE d.state = 'open';
