#include "data_loss.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "native.hpp"
#include "statehouse/connection.hpp"
#include "statements.hpp"
#include "table_text.hpp"

namespace statehouse::cli {
namespace {

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// What SQLite's authorizer tells of a statement. All names in lower case.
struct StatementFacts {
  std::set<std::string> dropped;
  std::set<std::string> altered;
  bool controls_transaction = false;
  bool opens_file = false;
  bool temporary = false;  // it writes to the temporary schema, which has no actions of its own for all that it holds

  static int see(void* self, int action, const char* first, const char* second, const char* schema, const char*) {
    auto& facts = *static_cast<StatementFacts*>(self);
    const auto text = [](const char* name) { return name == nullptr ? std::string() : lower(name); };
    switch (action) {
      case SQLITE_DROP_TABLE: facts.dropped.insert(text(first)); break;
      case SQLITE_ALTER_TABLE: facts.altered.insert(text(second)); break;
      case SQLITE_TRANSACTION:
      case SQLITE_SAVEPOINT: facts.controls_transaction = true; break;
      case SQLITE_ATTACH:
        // VACUUM attaches the empty name, which is no file.
        if (first != nullptr && *first == '\0') break;
        facts.opens_file = true;
        return SQLITE_DENY;
      case SQLITE_INSERT:
        if (schema != nullptr && std::string_view(schema) == "temp") facts.temporary = true;
        break;
      default: break;
    }
    return SQLITE_OK;
  }
};

/// Names by root page, which a table keeps when it is renamed.
using Tables = std::map<std::string, std::string>;

struct Reference {
  std::string child;
  std::string parent;
};

struct Rename {
  std::string from;
  std::string to;
  std::size_t line;
};

class DataLossSearch {
 public:
  DataLossSearch() : connection_(Connection::in_memory("in memory")), sqlite_(native_handle(connection_)) {
    set("PRAGMA foreign_keys = OFF");
    set("PRAGMA trusted_schema = ON");
  }

  DataLossFindings follow(std::span<const Migration> migrations) {
    for (const Migration& migration : migrations) {
      if (migration.kind == migration_kind::down) continue;
      migration_ = &migration;
      if (!follow_script()) break;
    }
    return std::move(findings_);
  }

 private:
  // --- the database ---

  /// What SQLite has against it; empty when it is done.
  std::string set(const std::string& sql) const {
    sqlite3_set_authorizer(sqlite_, nullptr, nullptr);
    return sqlite3_exec(sqlite_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK ? "" : sqlite3_errmsg(sqlite_);
  }
  /// Rows of texts, by the C API: what is looked at here is not the user's.
  std::vector<std::vector<std::string>> rows(const std::string& sql) const {
    sqlite3_set_authorizer(sqlite_, nullptr, nullptr);
    std::vector<std::vector<std::string>> result;
    const auto take = [](void* rows, int count, char** values, char**) {
      auto& row = static_cast<std::vector<std::vector<std::string>>*>(rows)->emplace_back();
      for (int i = 0; i < count; ++i) row.emplace_back(values[i] == nullptr ? "" : values[i]);
      return 0;
    };
    sqlite3_exec(sqlite_, sql.c_str(), take, &result, nullptr);
    return result;
  }
  Tables tables_by_root() const {
    Tables tables;
    for (auto& row : rows("SELECT rootpage, name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0"))
      tables[row[0]] = lower(row[1]);
    return tables;
  }
  bool has_table(const std::string& name) const {
    return !rows("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(" + quoted(name) + ")")
                .empty();
  }
  /// Of other tables than the parent.
  std::vector<Reference> references() const {
    std::vector<Reference> result;
    for (auto& row :
         rows("SELECT lower(s.name), lower(k.\"table\") FROM sqlite_schema s, pragma_foreign_key_list(s.name) "
              "k WHERE s.type = 'table' AND lower(k.\"table\") <> lower(s.name) GROUP BY 1, 2"))
      result.push_back({row[0], row[1]});
    return result;
  }
  static std::string quoted(const std::string& text) {
    std::string result = "'";
    for (const char c : text) result.append(c == '\'' ? 2 : 1, c);
    return result + '\'';
  }
  static std::string listed(const std::vector<Reference>& references, const std::string& parent) {
    std::string text;
    for (const Reference& one : references)
      if (one.parent == parent) text += (text.empty() ? "'" : ", '") + one.child + '\'';
    return text;
  }

  // --- one script ---

  bool follow_script() {
    older_.clear();
    for (const auto& [root, name] : tables_by_root()) older_.insert(name);
    references_before_ = references();
    temporary_before_ = temporary_objects();
    dropped_.clear();
    renamed_.clear();
    temporary_.clear();
    bool done = true;
    try {
      Statements statements(sqlite_, migration_->sql);
      while (compile_next(statements)) follow_statement(statements);
    } catch (const StatementError&) {
      findings_.opens_file = facts_.opens_file;
      done = false;
    }
    set("PRAGMA foreign_keys = OFF");
    set("PRAGMA legacy_alter_table = OFF");
    if (done) judge();
    return done;
  }

  bool compile_next(Statements& statements) {
    facts_ = {};
    sqlite3_set_authorizer(sqlite_, StatementFacts::see, &facts_);
    return statements.next();
  }

  void follow_statement(Statements& statements) {
    const StatementFacts facts = facts_;
    if (facts.controls_transaction) return;  // each statement is its own here
    const auto tables = facts.altered.empty() ? Tables() : tables_by_root();
    for (const std::string& name : facts.altered)
      if (older_.contains(name)) try_with_row(name, statements);
    sqlite3_set_authorizer(sqlite_, StatementFacts::see, &facts_);
    statements.run();
    for (const std::string& name : facts.dropped) {
      dropped_.emplace(name, statements.line());
      older_.erase(name);
    }
    const auto after = facts.altered.empty() ? Tables() : tables_by_root();
    for (const auto& [root, name] : tables) {
      const auto now = after.find(root);
      if (!facts.altered.contains(name) || now == after.end() || now->second == name) continue;
      renamed_.push_back({name, now->second, statements.line()});
      if (older_.erase(name) > 0) older_.insert(now->second);
    }
    if (facts.temporary || !facts.altered.empty())
      for (const std::string& object : temporary_objects()) temporary_.emplace(object, statements.line());
  }

  // --- ALTER TABLE on a table with rows ---

  /// The statement, on a table that has a row: what SQLite refuses then it does take in an empty table.
  void try_with_row(const std::string& table, const Statements& statements) {
    if (!rows("SELECT 1 FROM " + name_in_sql(table) + " LIMIT 1").empty()) return;  // it is about to be seen
    sqlite3_db_config(sqlite_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    set("PRAGMA ignore_check_constraints = ON");
    set(row_for(table));
    set("PRAGMA ignore_check_constraints = OFF");
    set("PRAGMA foreign_keys = ON");  // as a migration has them
    set("BEGIN");
    std::string failure = set(std::string(statements.text()));
    set("ROLLBACK");
    set("PRAGMA foreign_keys = OFF");
    if (is_of_check(failure) && !fails_alone(table, std::string(statements.text()))) failure.clear();
    set("DELETE FROM " + name_in_sql(table));
    sqlite3_db_config(sqlite_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, nullptr);
    if (!failure.empty())
      warn(statements.line(), "alters '" + table + "' in a way that fails as soon as it has rows (" + failure +
                                  "). Give the column a constant default, or allow NULL, or rebuild the table");
  }

  static bool is_of_check(std::string_view failure) { return failure.starts_with("CHECK constraint failed"); }

  /// Whether that is so without the CHECKs that the table has, too, which a row of the user's keeps, and ours may not.
  bool fails_alone(const std::string& table, const std::string& statement) const {
    const std::string row = row_for(table);
    std::string columns;
    for (const auto& column : rows("SELECT name, type FROM pragma_table_xinfo(" + quoted(table) + ") WHERE hidden = 0"))
      columns += (columns.empty() ? "" : ", ") + name_in_sql(column[0]) + ' ' + column[1];
    set("BEGIN");
    set("DROP TABLE " + name_in_sql(table));
    set("CREATE TABLE " + name_in_sql(table) + " (" + columns + ')');
    set(row);
    const bool fails = is_of_check(set(statement));
    set("ROLLBACK");
    return fails;
  }

  std::string row_for(const std::string& table) const {
    std::string columns, values;
    for (const auto& column :
         rows("SELECT name, upper(type) FROM pragma_table_xinfo(" + quoted(table) + ") WHERE hidden = 0")) {
      columns += (columns.empty() ? "" : ", ") + name_in_sql(column[0]);
      const std::string& type = column[1];
      values += (values.empty() ? "" : ", ") + std::string(type == "TEXT" ? "'1'" : type == "BLOB" ? "x'01'" : "1");
    }
    return "INSERT INTO " + name_in_sql(table) + " (" + columns + ") VALUES (" + values + ")";
  }

  // --- at the end of a script ---

  void judge() {
    for (const std::string& object : temporary_objects())
      if (!temporary_before_.contains(object))
        warn(temporary_[object], "leaves the temporary " + object +
                                     ", which is there for the scripts after it only where they run on the same " +
                                     "connection. Drop it at the end of the script");
    const auto now = references();
    std::set<std::string> told;
    for (const Rename& rename : renamed_) {
      const std::string children = listed(references_before_, rename.from);
      const std::string moved = listed(now, rename.to);
      if (children.empty() || moved.empty() || !has_table(rename.from)) continue;
      told.insert(rename.to);
      warn(rename.line, "renames '" + rename.from + "' out of the way, and the references of " + moved +
                            " go with it to '" + rename.to + "'. Make the new table under another name, copy, drop '" +
                            rename.from + "', and rename the new one then");
    }
    for (const auto& [name, line] : dropped_) {
      const std::string children = listed(now, name);
      if (children.empty() || told.contains(name) || has_table(name)) continue;
      warn(line, "drops '" + name + "', which " + children +
                     " refers to: its rows are lost or forbid it, and no later write to it works. Drop or rebuild " +
                     children + " first");
    }
  }

  std::set<std::string> temporary_objects() const {
    std::set<std::string> objects;
    for (const auto& row : rows("SELECT type, name FROM sqlite_temp_schema WHERE sql IS NOT NULL"))
      objects.insert(row[0] + " '" + row[1] + '\'');
    return objects;
  }

  void warn(std::size_t line, const std::string& message) {
    findings_.warnings.push_back({problem_severity::warning, migration_->file, line, migration_->version,
                                  migration_->file + ':' + std::to_string(line) + ' ' + message});
  }

  Connection connection_;
  sqlite3* sqlite_;
  const Migration* migration_ = nullptr;
  StatementFacts facts_;
  std::set<std::string> older_;  // tables that the script has not made itself
  std::vector<Reference> references_before_;
  std::map<std::string, std::size_t> dropped_;
  std::vector<Rename> renamed_;
  std::set<std::string> temporary_before_;
  std::map<std::string, std::size_t> temporary_;
  DataLossFindings findings_;
};

}  // namespace

DataLossFindings find_data_loss(std::span<const Migration> migrations) {
  return DataLossSearch().follow(migrations);
}

}  // namespace statehouse::cli
