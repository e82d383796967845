#include "script_file.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>

#include "database.hpp"
#include "extensions.hpp"
#include "native.hpp"
#include "output.hpp"
#include "statements.hpp"

namespace statehouse::cli {
namespace {

/// They checkpoint, or make the connection another than the one that was opened beside a server; the first four act
/// without a value, too.
constexpr std::array server_pragmas{"wal_checkpoint", "optimize",           "incremental_vacuum", "shrink_memory",
                                    "busy_timeout",   "journal_mode",       "locking_mode",       "query_only",
                                    "trusted_schema", "wal_autocheckpoint", "writable_schema"};
constexpr std::size_t acting_pragmas = 4;

bool is_servers(const char* pragma, const char* value) {
  const auto same = [&](const char* other) { return sqlite3_stricmp(other, pragma) == 0; };
  const auto end = value == nullptr ? server_pragmas.begin() + acting_pragmas : server_pragmas.end();
  return std::any_of(server_pragmas.begin(), end, same);
}

/// Which would do nothing within a transaction.
bool turns_foreign_keys_off(const char* pragma, const char* value) {
  constexpr std::array on{"on", "yes", "true", "1"};
  return sqlite3_stricmp(pragma, "foreign_keys") == 0 && value != nullptr &&
         std::ranges::none_of(on, [&](const char* other) { return sqlite3_stricmp(other, value) == 0; });
}

/// What a script is not to do, and what to do instead; empty for what it may.
std::string refusal(int action, const char* first, const char* second) {
  switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: return "the file is one transaction: remove BEGIN, COMMIT and the like";
    case SQLITE_ATTACH:
    case SQLITE_DETACH: return "no other database is opened: remove ATTACH, DETACH and VACUUM";
    case SQLITE_PRAGMA:
      if (is_servers(first, second))
        return "PRAGMA " + std::string(first) + " is a server's to set or to do: remove it";
      if (turns_foreign_keys_off(first, second))
        return "PRAGMA foreign_keys does nothing within a transaction, and the file is one: use PRAGMA "
               "defer_foreign_keys = ON, which checks them at its end";
      break;
    default: break;
  }
  return {};
}

/// Why the statement that was compiled last is refused; else empty.
struct Refused {
  std::string why;

  static int see(void* self, int action, const char* first, const char* second, const char*, const char*) {
    auto& refused = *static_cast<Refused*>(self);
    refused.why = refusal(action, first, second);
    return refused.why.empty() ? SQLITE_OK : SQLITE_DENY;
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
  if (!refused.why.empty()) return refused.why;
  const std::string_view what = error.what();
  if (is_missing_extension(what)) return std::string(what) + extension_advice;
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
