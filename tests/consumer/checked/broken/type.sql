-- expected: 3:33: error: the type of column 'what' is not certain: it may be INTEGER or TEXT. Say it: AS "what: C++ TYPE"
-- name: q :many
SELECT iif(id > 5, id, name) AS what FROM customer;
