-- expected: 3:8: error: no such function: shout
-- name: q :many
SELECT shout(name) AS "name: std::string" FROM customer;
