-- expected: 3:1: error: table customer has 4 columns but 2 values were supplied
-- name: q :execute
INSERT INTO customer VALUES (:id, :name);
