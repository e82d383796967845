#pragma once

#include <SQLiteCpp/Database.h>

#include <filesystem>

namespace statehouse::test {

/// Held by another program, so that the migration cannot begin to write.
class LockedDatabase {
 public:
  explicit LockedDatabase(const std::filesystem::path& file)
      : database_(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    database_.exec("PRAGMA journal_mode = WAL");
    database_.exec(
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP "
        "NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT "
        "NOT NULL)");
    database_.exec("BEGIN IMMEDIATE");
  }
  void release() { database_.exec("ROLLBACK"); }

 private:
  SQLite::Database database_;
};

}  // namespace statehouse::test
