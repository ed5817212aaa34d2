-- Beans that were out before there were alerts.
INSERT INTO alerts (bean_id, kind, quantity, began_at)
SELECT id, 'out', 0, COALESCE(moved_at, created_at) FROM beans WHERE removed_at IS NULL AND quantity = 0
UNION ALL
SELECT id, 'out_at_supplier', quantity, out_of_stock_since
FROM beans
WHERE removed_at IS NULL AND out_of_stock_since IS NOT NULL;
