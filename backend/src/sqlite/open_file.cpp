#include "sqlite/open_file.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>

#include <array>
#include <string>
#include <string_view>

#include "engine/vfs_option.hpp"
#include "file/file.hpp"
#include "sqlite/system_reason.hpp"

namespace statehouse::detail {
namespace {

/// What SQLite is to open, as it reads it with `flags_to_open`.
std::string name_to_open(const SessionConfig& config) {
  if (config.writer != written_by::nobody) return config.path.string();
  std::string uri = "file:";
  for (const char c : config.path.string()) {
    const auto special = std::string_view("%?#").find(c);
    uri += special == std::string_view::npos ? std::string(1, c) : std::array{"%25", "%3f", "%23"}.at(special);
  }
  return uri + "?immutable=1";
}

/// One thread at a time uses a connection, so SQLite's own mutexes would only cost. NOFOLLOW closes the gap between the
/// check of the file and its opening. What others write is opened for writing as well: else SQLite could not play back
/// a journal, nor remove the log and its index that it makes for a file in WAL mode.
int flags_to_open(const SessionConfig& config) {
  const int flags = SQLite::OPEN_NOMUTEX | (config.in_memory() ? SQLite::OPEN_CREATE : SQLite::OPEN_NOFOLLOW);
  if (config.writer == written_by::nobody) return flags | SQLite::OPEN_READONLY | SQLite::OPEN_URI;
  return flags | SQLite::OPEN_READWRITE;
}

/// Null is SQLite's default.
const char* vfs_to_open(const SessionConfig& config) {
  require_vfs(config.options, config.context.database);
  if (!config.options.vfs.empty()) return config.options.vfs.c_str();
  return config.options.exclusive && !config.in_memory() ? "unix-excl" : nullptr;
}

/// SQLiteCpp has closed what could not be opened, and with it the system's error is gone; asked again.
std::string reason_to_open(const SessionConfig& config, int flags) {
  sqlite3* db = nullptr;
  const int result = sqlite3_open_v2(name_to_open(config).c_str(), &db, flags, vfs_to_open(config));
  const std::string reason = system_reason(db, result);
  sqlite3_close(db);
  return reason;
}

std::unique_ptr<SQLite::Database> open_with(const SessionConfig& config, int flags) {
  const char* const vfs = vfs_to_open(config);
  try {
    return std::make_unique<SQLite::Database>(name_to_open(config).c_str(), flags, 0, vfs);
  } catch (const SQLite::Exception& error) {
    std::string message = std::string("cannot open the database file: ") + error.what();
    const int result = error.getExtendedErrorCode() != 0 ? error.getExtendedErrorCode() : error.getErrorCode();
    std::string why = config.in_memory() ? "" : explain_cannot_open(config.path);
    if (!why.empty()) why = "; " + why;
    throw Error(make_sqlite_error(result), message + (why.empty() ? reason_to_open(config, flags) : why),
                {config.context.database, {}});
  }
}

}  // namespace

std::unique_ptr<SQLite::Database> open_file(const SessionConfig& config) {
  return open_with(config, flags_to_open(config));
}

std::unique_ptr<SQLite::Database> open_file_to_read(const SessionConfig& config) {
  return open_with(config, (flags_to_open(config) & ~SQLite::OPEN_READWRITE) | SQLite::OPEN_READONLY);
}

void require_vfs(const ConnectionOptions& options, const std::string& database) {
  check_vfs(options);
  if (options.vfs.empty() || sqlite3_vfs_find(options.vfs.c_str()) != nullptr) return;
  throw Error(errc::invalid_option, "connection.vfs: no VFS is registered as '" + options.vfs + "'", {database, {}});
}

}  // namespace statehouse::detail
