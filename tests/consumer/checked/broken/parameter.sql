-- expected: 3:38: error: a parameter is called :NAME, with letters, digits and '_', not '?1'
-- name: q :many
SELECT name FROM customer WHERE id = ?1;
