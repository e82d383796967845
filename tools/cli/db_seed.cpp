#include <sqlite3.h>

#include <filesystem>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "native.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "script_file.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

fs::path seed_file(const Arguments& arguments) {
  if (!arguments.source_file.empty()) return arguments.source_file;
  return arguments.name.empty() ? fs::path("seeds.sql") : fs::path("seeds") / (arguments.name + ".sql");
}

/// Of the whole, or none of it.
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) {
    execute_natively(connection_, "BEGIN IMMEDIATE");
  }
  ~Transaction() {
    sqlite3* const database = native_handle(connection_);
    if (sqlite3_get_autocommit(database) == 0) sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() { execute_natively(connection_, "COMMIT"); }

 private:
  Connection& connection_;
};

}  // namespace

void db_seed(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  const fs::path seeds = seed_file(arguments);
  output.document()["database"] = file.string();
  output.document()["file"] = seeds.string();
  require_file(file);
  const std::string script = read_script(seeds);
  const Progress watch("running " + seeds.string(), "");
  auto connection = open_to_write(arguments, file);
  sqlite3* const database = native_handle(connection);
  const auto before = sqlite3_total_changes64(database);
  Transaction transaction(connection);
  run_script(connection, seeds, script, "; nothing of the file is kept");
  transaction.commit();
  const auto rows = sqlite3_total_changes64(database) - before;
  output.document()["changes"] = rows;
  output.line("ran " + seeds.string() + " on " + file.string() + ": " +
                  count_text(static_cast<std::size_t>(rows), "row") + " inserted, updated or deleted",
              style::good);
}

}  // namespace statehouse::cli
