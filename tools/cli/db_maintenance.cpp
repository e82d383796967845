#include <filesystem>
#include <fstream>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "native.hpp"
#include "output.hpp"
#include "progress.hpp"

namespace statehouse::cli {
namespace {

/// In its pages, wherever they are: in the file or in the log.
std::int64_t bytes_of(Connection& connection) {
  return connection.query_one<std::int64_t>("PRAGMA page_count") *
         connection.query_one<std::int64_t>("PRAGMA page_size");
}

std::string size_of_pages(std::int64_t bytes) {
  return size_text(static_cast<std::uintmax_t>(bytes));
}

/// As its header says it (https://www.sqlite.org/fileformat.html section 1.3.3).
bool has_rollback_journal(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return in.seekg(18) && in.get() == 1;
}

/// Nobody but a server or its migrations is to change the journal mode, which is for good.
Connection open_for_upkeep(const Arguments& arguments, const std::filesystem::path& file) {
  if (has_rollback_journal(file))
    throw Finding("refused",
                  "'" + file.string() +
                      "' has a rollback journal, and this would make it a WAL database for good, as opening " +
                      "it by a server, 'statehouse up' or 'statehouse db create' does: do that first, or use "
                      "the sqlite3 shell");
  return open_to_write(arguments, file);
}

}  // namespace

void db_vacuum(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  output.document()["database"] = file.string();
  require_file(file);
  const Progress watch("vacuuming", "");
  auto connection = open_for_upkeep(arguments, file);
  const std::int64_t before = bytes_of(connection);
  execute_natively(connection, "VACUUM");
  const std::int64_t after = bytes_of(connection);
  output.document()["bytes_before"] = before;
  output.document()["bytes"] = after;
  output.line("vacuumed " + file.string() + ": " + size_of_pages(before) + ", now " + size_of_pages(after),
              style::good);
}

void db_optimize(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  output.document()["database"] = file.string();
  require_file(file);
  const Progress watch("looking at the indexes", "");
  auto connection = open_for_upkeep(arguments, file);
  // PRAGMA optimize would only look at what this connection has queried, which is nothing.
  execute_natively(connection, "PRAGMA analysis_limit = 1000");
  execute_natively(connection, "ANALYZE");
  const bool any =
      connection.query_one<bool>("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1')");
  const auto indexes = any ? connection.query_one<std::int64_t>("SELECT count(*) FROM sqlite_stat1") : 0;
  output.document()["statistics"] = indexes;
  output.line("optimized " + file.string() + ": the query planner has statistics of " + std::to_string(indexes) +
                  (indexes == 1 ? " index or table" : " indexes and tables") +
                  ", which a server that runs reads when it is started next",
              style::good);
}

void db_checkpoint(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  output.document()["database"] = file.string();
  require_file(file);
  const std::string log = file.string() + "-wal";
  const auto before = size_of(log);
  output.document()["wal_bytes_before"] = before;
  {
    const Progress watch("moving the log into the database", "");
    open_for_upkeep(arguments, file);  // whoever closes it last does that
  }
  const auto after = size_of(log);
  output.document()["wal_bytes"] = after;
  if (after > 0)
    throw Finding("busy", "another process has '" + file.string() + "' open, and the log of " + size_text(after) +
                              " is its to move: a server does so by itself. Stop that process for this");
  output.line(before == 0 ? "there is no log beside " + file.string()
                          : "moved the log, " + size_text(before) + ", into " + file.string(),
              style::good);
}

}  // namespace statehouse::cli
