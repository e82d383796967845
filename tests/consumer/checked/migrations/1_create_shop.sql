CREATE TABLE customer (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  note TEXT,
  since DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE purchase (
  id INTEGER PRIMARY KEY,
  customer INTEGER NOT NULL REFERENCES customer (id),
  state INTEGER NOT NULL DEFAULT 0,
  total REAL NOT NULL,
  receipt BLOB
) STRICT;
CREATE VIEW open_purchase AS SELECT id, customer, total FROM purchase WHERE state = 0;
