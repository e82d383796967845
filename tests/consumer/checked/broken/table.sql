-- expected: 4:6: error: no such table: customers
-- name: q :many
SELECT name
FROM customers;
