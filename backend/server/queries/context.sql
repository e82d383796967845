-- The queries of the example backend, checked when it is built. The column's type, JSON, means to SQLite that text which
-- looks like a number becomes one: `1.0` would come back as `1`. So a JSON value that is a number is stored as a blob,
-- which is left alone, and reading casts to text. All else is stored as text.
--
-- rows: context 100000

-- name: get_block :optional
SELECT CAST(context AS TEXT) FROM context WHERE document_id = :document AND block_id = :block;

-- name: replace_block :execute
UPDATE context SET context = iif(:number, CAST(:context AS BLOB), :context)
WHERE document_id = :document AND block_id = :block;

-- name: insert_block :execute
INSERT INTO context (document_id, block_id, context)
VALUES (:document, :block, iif(:number, CAST(:context AS BLOB), :context));

-- name: erase_block :execute
DELETE FROM context WHERE document_id = :document AND block_id = :block;

-- name: erase_document :execute
DELETE FROM context WHERE document_id = :document;

-- name: blocks_behind :many
SELECT document_id AS document, block_id AS block FROM context
WHERE document_id = :document AND block_id > :block ORDER BY block_id LIMIT :limit;

-- name: matches_nothing :one
-- SQLite evaluates REGEXP only where there are rows; this finds a bad pattern always.
SELECT '' REGEXP :pattern AS "matches!: bool";

-- name: matches_behind :many
SELECT document_id AS document, block_id AS block FROM context
WHERE (document_id, block_id) > (:document, :block) AND CAST(context AS TEXT) REGEXP :pattern
ORDER BY document_id, block_id LIMIT :limit;
