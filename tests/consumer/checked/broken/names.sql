-- expected: 3:10: error: two columns are called 'id': give one another name with AS
-- name: q :many
SELECT c.id, p.id FROM customer c JOIN purchase p ON p.customer = c.id;
