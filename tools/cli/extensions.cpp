#include "extensions.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "output.hpp"

namespace statehouse::cli {
namespace {

using Message = std::unique_ptr<char, decltype(&sqlite3_free)>;

/// What every connection is to have, in this order, as one may need another.
std::vector<std::string>& wanted_extensions() {
  static std::vector<std::string> extensions;
  return extensions;
}

/// SQLite's message, or nothing. From here only: SQL's load_extension() stays off.
Message load(sqlite3* database, const std::string& extension) {
  char* message = nullptr;
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, nullptr);
  const int code = sqlite3_load_extension(database, extension.c_str(), nullptr, &message);
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  if (code != SQLITE_OK && message == nullptr) message = sqlite3_mprintf("%s", sqlite3_errstr(code));
  return {message, &sqlite3_free};
}

/// Called by SQLite for each connection that it opens.
int load_all(sqlite3* database, char** message, const void*) {
  for (const std::string& extension : wanted_extensions()) {
    if (Message failure = load(database, extension)) {
      *message = failure.release();
      return SQLITE_ERROR;
    }
  }
  return SQLITE_OK;
}

/// Tried on a connection that nobody needs, as here it can be said which one fails.
void require_loadable(const std::vector<std::string>& extensions) {
  sqlite3* opened = nullptr;
  sqlite3_open(":memory:", &opened);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database(opened, &sqlite3_close);
  for (const std::string& extension : extensions) {
    if (extension.empty()) throw UsageError("--load-extension: this names no file");
    if (const Message failure = load(opened, extension))
      throw Finding("extension", "SQLite cannot load the extension '" + extension + "': " + failure.get() +
                                     ". Give the path of its file with a '/' in it, or a name that the system's " +
                                     "loader finds");
  }
}

}  // namespace

void load_extensions(const Arguments& arguments) {
  if (arguments.extensions.empty()) return;
  if (!arguments.cluster.empty())
    throw UsageError("--load-extension: the nodes of a cluster run the statements, and they load none");
  require_loadable(arguments.extensions);
  wanted_extensions() = arguments.extensions;
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(load_all));
}

bool is_missing_extension(std::string_view message) {
  constexpr std::string_view lacks[] = {"no such function", "no such module", "no such collation"};
  return std::ranges::any_of(lacks,
                             [&](std::string_view what) { return message.find(what) != std::string_view::npos; });
}

}  // namespace statehouse::cli
