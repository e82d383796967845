#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "cluster.hpp"
#include "cluster_copy.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "statehouse/check.hpp"
#include "statehouse/error.hpp"
#include "stop_signals.hpp"
#include "table_text.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* interrupted = "the import was interrupted: the next one begins anew";
constexpr const char* not_compared = "the import is done, but was interrupted before it was compared";
/// Of rows in one statement, which is a transaction.
constexpr std::size_t most_bytes = std::size_t{128} << 10;
constexpr const char* progress_table = "_statehouse_import";
/// Of one transaction, before somebody has to look at the nodes.
constexpr int most_lost = 10;

/// What a schema says of one name. What SQLite makes by itself is left out: indexes of constraints, statistics, and the
/// tables that a virtual table keeps its data in.
struct SchemaEntry {
  std::string type;
  std::string name;
  std::string sql;

  bool operator==(const SchemaEntry&) const = default;
};

std::vector<SchemaEntry> entries_of(Connection& database) {
  return database.query_all<SchemaEntry>(
      "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND "
      "name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow') ORDER BY rowid");
}

std::vector<SchemaEntry> sorted(std::vector<SchemaEntry> entries) {
  std::ranges::sort(entries, {}, &SchemaEntry::name);
  return entries;
}

/// Those that have rows of their own; the one with the latest ids of AUTOINCREMENT last, as the others' rows change it.
std::vector<TableText> tables_of(Connection& database) {
  std::vector<TableText> tables;
  for (auto& name : database.query_all<std::string>(
           "SELECT m.name FROM sqlite_master AS m JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = m.name "
           "WHERE l.type IN ('table', 'shadow') AND m.name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' AND "
           // It stays for ever, and comes with the first table that needs it only.
           "(m.name <> 'sqlite_sequence' OR EXISTS (SELECT * FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%')) "
           "ORDER BY m.name = 'sqlite_sequence', m.rowid"))
    tables.emplace_back(database, std::move(name));
  return tables;
}

/// One import, from a file that does not change meanwhile.
///
/// In many small transactions: one that the nodes need longer to copy than to miss their leader costs them the leader.
/// A table of its own says that it is under way, and which of them are done: what is lost with a leader is done again,
/// and what was left by an import that has not come to its end is dropped.
class Import {
 public:
  Import(Connection& source, const ClusterOptions& cluster, const StopSignals& signals)
      : source_(source),
        cluster_(cluster),
        signals_(signals),
        schema_(entries_of(source)),
        tables_(tables_of(source)),
        target_(connect()) {}

  void run() {
    for (const TableText& table : tables_) table.refuse_nul(source_);
    make_room();
    std::vector<std::string> schema;
    for (const SchemaEntry& entry : schema_)  // an index of rows that are there would be one large transaction
      if (entry.type == "table" || entry.type == "index") schema.push_back(entry.sql);
    keep(schema);
    for (const TableText& table : tables_) copy(table);
    std::vector<std::string> rest;
    for (const SchemaEntry& entry : schema_)  // a trigger would have seen the rows come
      if (entry.type == "view" || entry.type == "trigger") rest.push_back(entry.sql);
    for (const std::string pragma : {"PRAGMA user_version", "PRAGMA application_id"})
      rest.push_back(pragma + " = " + std::to_string(source_.query_one<std::int64_t>(pragma)));
    keep(rest);
    finish();
  }

  /// Throws Finding where the copy is not the same, row by row.
  void compare(Connection& copy) const {
    std::string different;
    if (sorted(schema_) != sorted(entries_of(copy))) different = "the schema";
    for (const TableText& table : tables_) {
      signals_.throw_if_requested(not_compared);
      if (different.empty() && !table.is_same(source_, copy)) different = "table " + table.name();
    }
    if (!different.empty())
      throw Finding("different", different +
                                     " is not in the cluster what it is in the file: somebody has written to one "
                                     "of them meanwhile. Import it again under another --name");
  }

  std::size_t rows() const noexcept { return rows_; }
  std::size_t tables() const noexcept { return tables_.size(); }

 private:
  /// Begins in a database that has nothing, or nothing but what an import of this file has left.
  void make_room() {
    target_->savepoint([&] {
      const auto entries = entries_of(*target_);
      if (!entries.empty()) require_own(entries);
      for (const SchemaEntry& entry : entries)  // a virtual table takes its own tables with it
        if (entry.type == "table" || entry.type == "view")
          target_->execute("DROP " + entry.type + " IF EXISTS " + name_in_sql(entry.name));
      target_->execute(std::string("CREATE TABLE ") + progress_table + "(done INTEGER NOT NULL) STRICT");
      target_->execute(std::string("INSERT INTO ") + progress_table + " VALUES (0)");
    });
  }
  void require_own(const std::vector<SchemaEntry>& entries) const {
    const auto is_progress = [](const SchemaEntry& entry) { return entry.name == progress_table; };
    const auto is_own = [&](const SchemaEntry& entry) {
      return is_progress(entry) || std::ranges::find(schema_, entry) != schema_.end();
    };
    if (std::ranges::none_of(entries, is_progress))
      throw Finding("not_empty",
                    "this database of the cluster has tables already: import under a --name that is not there yet");
    if (!std::ranges::all_of(entries, is_own))
      throw Finding("not_empty",
                    "an import has ended here before it was done, and the database has what is not in this file, too: "
                    "import under a --name that is not there yet");
  }

  std::unique_ptr<Connection> connect() const {
    ConnectionOptions options;
    options.statement_cache = 1;   // none comes twice, and a node keeps what is cached
    options.foreign_keys = false;  // rows come table by table
    return std::unique_ptr<Connection>(
        new Connection(Connection::in_cluster(cluster_, connection_role::writer, options, signals_.token())));
  }

  static bool may_be_repeated(const Error& error) {
    return error.code() == errc::unavailable || error.code() == errc::outcome_unknown;
  }

  /// One transaction, until it is known to be kept.
  void keep(const std::vector<std::string>& statements) {
    ++step_;
    for (int lost = 0;; ++lost) {
      signals_.throw_if_requested(interrupted);
      try {
        target_->savepoint([&] {
          for (const std::string& statement : statements) target_->execute(statement);
          target_->execute(std::string("UPDATE ") + progress_table + " SET done = ?", step_);
        });
        return;
      } catch (const Error& error) {
        if (!may_be_repeated(error) || lost == most_lost) throw;
      }
      target_ = connect();  // the other one's transaction is gone with the leader
      if (target_->query_one<std::int64_t>(std::string("SELECT done FROM ") + progress_table) == step_) return;
    }
  }

  /// As often as it takes: twice is as good as once.
  void finish() {
    for (int lost = 0;; ++lost) {
      try {
        target_->execute(std::string("DROP TABLE IF EXISTS ") + progress_table);
        return;
      } catch (const Error& error) {
        if (!may_be_repeated(error) || lost == most_lost) throw;
      }
      target_ = connect();
    }
  }

  void copy(const TableText& table) {
    // A virtual table's own are not empty, nor are the ids of AUTOINCREMENT, after the rows of the others.
    keep({"DELETE FROM " + name_in_sql(table.name())});
    const std::string insert = table.insert();
    std::string statement;
    table.for_each_row(source_, [&](std::string_view row) {
      (statement += statement.empty() ? insert : ",") += row;
      ++rows_;
      if (statement.size() < most_bytes) return;
      keep({statement});
      statement.clear();
    });
    if (!statement.empty()) keep({statement});
  }

  Connection& source_;
  const ClusterOptions& cluster_;
  const StopSignals& signals_;
  const std::vector<SchemaEntry> schema_;
  const std::vector<TableText> tables_;
  std::unique_ptr<Connection> target_;
  std::size_t rows_ = 0;
  std::int64_t step_ = 0;
};

/// For what may be large, and is gone at the end: as SQLite has it.
fs::path place_for_copy() {
  const char* const chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen != '\0' ? chosen : "/var/tmp";
}

}  // namespace

void cluster_import(const Arguments& arguments, Output& output) {
  const ClusterOptions options = database_of_cluster(arguments);
  const fs::path file = resolved(arguments.source_file);
  output.document()["file"] = file.string();
  output.document()["database"] = options.database;
  require_file(file);
  const auto start = std::chrono::steady_clock::now();
  const StopSignals signals;
  const Progress watch("importing", "");
  auto source = open_to_read(arguments, file);
  if (const auto damage = quick_check(source).findings; !damage.empty())
    throw Finding("corrupt", "'" + file.string() + "' is damaged, and nothing of it is imported: " + damage.front());
  // Before anything is imported: it needs a place.
  const ClusterCopy fetched(options, place_for_copy(),
                            "set TMPDIR to a directory with room for a copy, which the import is compared with");
  const auto import = signals.guard(interrupted, [&] { return std::make_unique<Import>(source, options, signals); });
  signals.guard(interrupted, [&] { import->run(); });
  signals.guard(not_compared, [&] {
    fetched.fetch(signals.token());
    Connection copy(fetched.file());
    import->compare(copy);
  });
  const auto elapsed = std::chrono::steady_clock::now() - start;
  output.document()["tables"] = import->tables();
  output.document()["rows"] = import->rows();
  output.document()["elapsed_ns"] = elapsed.count();
  output.line("copied " + file.string() + " to " + options.database + " of the cluster (" +
                  count_text(import->tables(), "table") + ", " + count_text(import->rows(), "row") + ", " +
                  to_text(elapsed) + ", compared)",
              style::good);
}

}  // namespace statehouse::cli
