-- What the queue gave up has had no effect: it may come again and be applied. The inbox keeps the ids
-- of those alone with which that must not happen.
DELETE FROM inbox WHERE outcome = 'dead_lettered';
