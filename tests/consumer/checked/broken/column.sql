-- expected: 3:8: error: no such column: nam
-- name: q :many
SELECT nam FROM customer;
