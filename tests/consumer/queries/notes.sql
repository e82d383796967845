-- name: get_text :one
SELECT text FROM note;

-- name: replace_text :execute
UPDATE note SET text = :text;
