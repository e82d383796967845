CREATE TABLE context (
  document_id TEXT NOT NULL,
  block_id TEXT NOT NULL,
  context JSON NOT NULL
);

CREATE UNIQUE INDEX context_document_id_block_id ON context (document_id, block_id);
CREATE INDEX context_document_id ON context (document_id);
CREATE INDEX context_block_id ON context (block_id);
