#pragma once

#include <sqlite3.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"

/// Reads the recorded cases and looks at databases from outside the library, with the plain C API.
namespace statehouse::test {

namespace json = boost::json;

inline const std::filesystem::path sqlx_data = std::filesystem::path(STATEHOUSE_CONFORMANCE_DIR) / "sqlx";

inline json::value read_json(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return json::parse(std::string(std::istreambuf_iterator<char>(stream), {}));
}

/// A plain SQLite connection without statehouse's settings and functions.
class PlainDatabase {
 public:
  explicit PlainDatabase(const std::filesystem::path& path) {
    if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db_));
    sqlite3_busy_timeout(db_, 3000);
  }
  ~PlainDatabase() { sqlite3_close(db_); }
  PlainDatabase(const PlainDatabase&) = delete;
  PlainDatabase& operator=(const PlainDatabase&) = delete;

  /// Rows as arrays; blobs as hexadecimal text. SQLite's message instead of rows when it fails.
  json::value rows(const std::string& sql) const;
  json::value scalar(const std::string& sql) const {
    const json::value all = rows(sql);
    return all.is_array() && !all.as_array().empty() ? all.as_array()[0].as_array()[0] : json::value();
  }
  void execute(const std::string& sql) const {
    if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      throw std::runtime_error(sqlite3_errmsg(db_));
  }

 private:
  sqlite3* db_ = nullptr;
};

/// The whole state of a database, in the shape of the recorded states.
json::object state_of(const std::filesystem::path& file);

/// What a recorded step says about its failure: the error code and the version it names.
struct ExpectedFailure {
  errc code;
  std::optional<std::int64_t> version;
};
ExpectedFailure expected_failure(const json::object& outcome);

}  // namespace statehouse::test
