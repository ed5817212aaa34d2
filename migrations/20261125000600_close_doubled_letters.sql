-- An update has one open letter, the newest; version 0.1 made no second one, but nothing kept it from it.
UPDATE dead_letters AS d
JOIN dead_letters AS newer ON newer.update_id = d.update_id AND newer.state = 'open' AND newer.id > d.id
SET d.state = 'resent'
WHERE d.state = 'open';
