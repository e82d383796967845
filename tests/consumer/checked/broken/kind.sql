-- expected: 3:1: error: :many is for what only reads; this writes: :execute
-- name: q :many
DELETE FROM customer;
