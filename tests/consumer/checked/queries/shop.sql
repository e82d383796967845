-- The twelve queries of a shop.
-- include: "order_state.hpp"
-- include: "note.hpp"
-- type: purchase.state = shop::order_state
-- type: customer.note = shop::Note
-- function: shout/1

-- name: add_customer :returning
INSERT INTO customer (name, note) VALUES (:name, :note) RETURNING id, name, note;

-- name: get_customer :optional
SELECT id, name, note FROM customer WHERE id = :id;

-- name: customers :many
-- All of them whose names match, or all.
SELECT name FROM customer WHERE (:pattern IS NULL OR name REGEXP :pattern) ORDER BY name;

-- name: count_customers :one
SELECT count(*) FROM customer;

-- name: rename :execute
UPDATE customer SET name = :name WHERE id = :id;

-- name: buy :execute
INSERT INTO purchase (customer, total, receipt) VALUES (:customer, :total, :receipt);

-- name: set_state :execute
UPDATE purchase SET state = :state WHERE id = :id;

-- name: purchases :many
SELECT c.name, p.id AS purchase, p.state, p.total
FROM customer c LEFT JOIN purchase p ON p.customer = c.id ORDER BY c.id, p.id;

-- name: turnover :many
SELECT c.id AS customer, sum(p.total) AS "total!", max(p.receipt) AS receipt
FROM customer c JOIN purchase p ON p.customer = c.id GROUP BY c.id HAVING count(*) >= :least;

-- name: largest_open :optional
SELECT id, total FROM open_purchase WHERE customer = :customer ORDER BY total DESC LIMIT 1;

-- name: loud :many
SELECT shout(name) AS "name!: std::string", since AS "since: std::chrono::sys_seconds" FROM customer;

-- name: page :many
SELECT id AS "class", name AS "template" FROM customer
WHERE (name, id) > (:name, :db) ORDER BY name, id LIMIT :limit;
