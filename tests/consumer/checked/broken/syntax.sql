-- expected: 3:18: error: near "customer": syntax error
-- name: q :many
SELECT name FORM customer;
