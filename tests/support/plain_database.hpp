#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace statehouse::test {

/// A connection that is not ours, as another program has it: SQLite's defaults, and no more patience with locks than
/// `busy_timeout`.
class PlainDatabase {
 public:
  explicit PlainDatabase(const std::filesystem::path& path, std::chrono::milliseconds busy_timeout = {}) {
    if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) throw std::runtime_error("cannot open " + path.string());
    sqlite3_busy_timeout(db_, static_cast<int>(busy_timeout.count()));
  }
  ~PlainDatabase() { sqlite3_close(db_); }
  PlainDatabase(const PlainDatabase&) = delete;
  PlainDatabase& operator=(const PlainDatabase&) = delete;

  /// SQLite's result code.
  int try_execute(const std::string& sql) const { return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr); }
  void execute(const std::string& sql) const {
    if (try_execute(sql) != SQLITE_OK) fail(sql);
  }
  /// The first column of every row, "NULL" for NULL.
  std::vector<std::string> column(const std::string& sql) const {
    std::vector<std::string> values;
    const auto collect = [](void* into, int, char** texts, char**) {
      static_cast<std::vector<std::string>*>(into)->emplace_back(texts[0] != nullptr ? texts[0] : "NULL");
      return 0;
    };
    if (sqlite3_exec(db_, sql.c_str(), collect, &values, nullptr) != SQLITE_OK) fail(sql);
    return values;
  }
  std::string text(const std::string& sql) const { return column(sql).at(0); }
  std::int64_t scalar(const std::string& sql) const { return std::stoll(text(sql)); }

  sqlite3* handle() const noexcept { return db_; }

 private:
  [[noreturn]] void fail(const std::string& sql) const {
    throw std::runtime_error("another program: " + sql + ": " + sqlite3_errmsg(db_));
  }

  sqlite3* db_ = nullptr;
};

}  // namespace statehouse::test
