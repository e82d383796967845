#include "script_file.hpp"

#include <sqlite3.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>

#include "database.hpp"
#include "native.hpp"
#include "output.hpp"
#include "statements.hpp"

namespace statehouse::cli {
namespace {

struct Refused {
  bool transaction = false;
  bool database = false;

  static int see(void* self, int action, const char*, const char*, const char*, const char*) {
    auto& refused = *static_cast<Refused*>(self);
    refused.transaction = action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT;
    refused.database = action == SQLITE_ATTACH || action == SQLITE_DETACH;
    return refused.transaction || refused.database ? SQLITE_DENY : SQLITE_OK;
  }
};

/// While it lives, on the connection.
class Watch {
 public:
  Watch(sqlite3* database, Refused& refused) : database_(database) {
    sqlite3_set_authorizer(database_, Refused::see, &refused);
  }
  ~Watch() { sqlite3_set_authorizer(database_, nullptr, nullptr); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  sqlite3* database_;
};

std::string what_to_do(const StatementError& error, const Refused& refused) {
  if (refused.transaction) return "the file is one transaction: remove BEGIN, COMMIT and the like";
  if (refused.database) return "no other database is opened: remove ATTACH, DETACH and VACUUM";
  const std::string_view what = error.what();
  return std::string(what) +
         (what.starts_with("no such table") ? ". Where migrations make it, apply them first: statehouse up" : "");
}

}  // namespace

std::string read_script(const std::filesystem::path& file) {
  require_there(file, "SQL file");
  std::ifstream in(file, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  if (!in || std::filesystem::is_directory(file)) {
    const boost::system::error_code code(std::filesystem::is_directory(file) ? EISDIR : errno,
                                         boost::system::system_category());
    throw Error(code, "cannot read '" + file.string() + "': " + code.message());
  }
  std::string script = content.str();
  if (script.find('\0') != std::string::npos)
    throw Finding("refused",
                  "'" + file.string() + "' has a NUL byte, where SQLite would stop reading: is it SQL at all?");
  return script;
}

void run_script(Connection& connection, const std::filesystem::path& file, const std::string& script,
                const std::string& after, bool reserved_names_too) {
  sqlite3* const database = native_handle(connection);
  Refused refused;
  const Watch watch(database, refused);
  Statements statements(database, script);
  for (;;) {
    try {
      if (!statements.next()) return;
      statements.run();
    } catch (const StatementError& error) {
      const bool reserved = std::string_view(error.what()).starts_with("object name reserved");
      if (reserved && reserved_names_too && statements.skip()) continue;
      throw Finding("script_failed",
                    file.string() + ':' + std::to_string(error.line) + ": " + what_to_do(error, refused) + after,
                    file.string(), error.line);
    }
  }
}

}  // namespace statehouse::cli
