#include "check.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "names.hpp"
#include "parameters.hpp"
#include "result_column.hpp"
#include "statehouse/connection.hpp"

namespace statehouse::queries {
namespace {

using StatementPtr = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

bool reads(query_kind kind) {
  return kind == query_kind::one || kind == query_kind::optional || kind == query_kind::many;
}

/// Checks one query after the other.
class Checker {
 public:
  Checker(sqlite3* database, const Schema& schema, const QueryFile& file, Diagnostics& found)
      : database_(database), schema_(schema), file_(file), found_(found) {}

  std::optional<CheckedQuery> check(const Query& query) {
    const std::size_t before = found_.size();
    check_name(query);
    const StatementPtr statement = prepare(query);
    if (!statement) return std::nullopt;
    std::vector<Operation> program = program_of(database_, query.sql);
    if (!may_be_query(query, statement.get(), program)) return std::nullopt;
    check_kind(query, statement.get());
    CheckedQuery checked{&query, {}, {}};
    const ProgramFacts facts = Machine(schema_, std::move(program)).run();
    checked.parameters = parameters_of(statement.get(), query, facts, file_, found_);
    if (query.kind != query_kind::execute) add_columns(query, statement.get(), facts, checked);
    if (found_.size() != before) return std::nullopt;
    return checked;
  }

 private:
  void tell(std::size_t offset, std::string message) { found_.push_back(file_.at(offset, std::move(message))); }

  void check_name(const Query& query) {
    const bool usable = is_identifier(query.name) && !is_keyword(query.name);
    if (!usable) tell(query.name_offset, "'" + query.name + "' cannot be the name of a function in C++");
    if (!names_.insert(query.name).second) {
      tell(query.name_offset, "there is another query '" + query.name + '\'');
    } else if (!names_.insert(row_name(query.name)).second) {
      tell(query.name_offset, "the rows of another query are called '" + row_name(query.name) + "', too");
    }
  }

  StatementPtr prepare(const Query& query) {
    const std::string sql(query.sql);
    sqlite3_stmt* prepared = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v2(database_, sql.c_str(), -1, &prepared, &tail);
    StatementPtr statement(prepared, &sqlite3_finalize);
    if (code != SQLITE_OK) {
      const int offset = sqlite3_error_offset(database_);
      const std::string words = sqlite3_errmsg(database_);
      // SQLite has a place for most; "no such table: persons" has none, but a word to look for.
      tell(offset >= 0 ? query.offset + static_cast<std::size_t>(offset) : place_of(query, last_word(words)),
           words + advice(code));
      return {nullptr, &sqlite3_finalize};
    }
    const auto end = query.offset + static_cast<std::size_t>(tail - sql.c_str());
    const auto second = std::ranges::find_if(
        query.tokens, [&](const SqlToken& token) { return token.offset >= end && !token.is(";"); });
    if (second != query.tokens.end()) tell(second->offset, "a second statement: each has a name of its own before it");
    return statement;
  }

  static std::string_view last_word(std::string_view message) { return message.substr(message.find_last_of(" .") + 1); }

  static const char* advice(int code) {
    return code == SQLITE_AUTH
               ? ": transactions, savepoints, ATTACH and settings of connections are no queries; see the "
                 "verbs of the pool"
               : "";
  }

  /// What SQLite prepares, and what no verb for statements runs.
  bool may_be_query(const Query& query, sqlite3_stmt* statement, const std::vector<Operation>& program) {
    if (sqlite3_stmt_isexplain(statement) != 0) {
      tell(query.offset, "EXPLAIN is no query: 'statehouse queries explain' shows the plans");
      return false;
    }
    if (std::ranges::any_of(program, [](const Operation& op) { return op.code == "Vacuum"; })) {
      tell(query.offset, "VACUUM is no query, as it runs in no transaction: use write_without_transaction");
      return false;
    }
    return true;
  }

  void check_kind(const Query& query, sqlite3_stmt* statement) {
    const bool writes = sqlite3_stmt_readonly(statement) == 0;
    const bool has_rows = sqlite3_column_count(statement) > 0;
    const std::string kind = ":" + std::string(name_of(query.kind));
    if (reads(query.kind) && writes) {
      tell(query.offset, kind + " is for what only reads; this writes: " + (has_rows ? ":returning" : ":execute"));
    } else if (reads(query.kind) && !has_rows) {
      tell(query.offset, kind + " is for a statement with rows, and this has none: :execute");
    } else if (query.kind == query_kind::execute && has_rows) {
      tell(query.offset, "the rows of this are lost with :execute; it is " +
                             std::string(writes ? ":returning" : ":one, :optional or :many"));
    } else if (query.kind == query_kind::returning && !(writes && has_rows)) {
      tell(query.offset, std::string(":returning is for a statement that writes and has RETURNING; this is ") +
                             (has_rows ? ":one, :optional or :many" : ":execute"));
    }
  }

  void add_columns(const Query& query, sqlite3_stmt* statement, const ProgramFacts& facts, CheckedQuery& checked) {
    const int count = sqlite3_column_count(statement);
    std::set<std::string> fields;
    for (int i = 0; i < count; ++i) {
      const std::size_t place = place_of(query, sqlite3_column_name(statement, i));
      auto column = result_column(statement, i, facts, schema_, file_.settings());
      if (const auto* const problem = std::get_if<std::string>(&column)) {
        tell(place, *problem);
      } else {
        checked.columns.push_back(std::get<CheckedColumn>(std::move(column)));
      }
      const std::string name = words_of(sqlite3_column_name(statement, i)).name;
      if (count > 1 && (!is_identifier(name) || name == row_name(query.name))) {
        tell(place, "column " + std::to_string(i + 1) + " is called '" + name +
                        "', which cannot be the name of a field in C++: give it one with AS");
      } else if (count > 1 && !fields.insert(name).second) {
        tell(place, "two columns are called '" + name + "': give one another name with AS");
      }
    }
  }

  /// Where the name is written down, else where the statement begins.
  static std::size_t place_of(const Query& query, std::string_view name) {
    const auto written = std::ranges::find_if(query.tokens, [&](const SqlToken& token) {
      const bool quoted = token.kind == token_kind::name && token.text.size() > 2;
      return (quoted ? token.text.substr(1, token.text.size() - 2) : token.text) == name;
    });
    return written == query.tokens.end() ? query.offset : written->offset;
  }

  sqlite3* const database_;
  const Schema& schema_;
  const QueryFile& file_;
  Diagnostics& found_;
  std::set<std::string> names_;  // of functions and rows
};

/// Never called: nothing is run that has rows.
void stand_in(sqlite3_context* context, int, sqlite3_value**) {
  sqlite3_result_null(context);
}

/// A size that is told of no table helps nobody.
void check_settings(const QueryFile& file, sqlite3* database, Diagnostics& found) {
  for (const auto& [table, rows] : file.settings().rows)
    if (sqlite3_table_column_metadata(database, "main", table.c_str(), nullptr, nullptr, nullptr, nullptr, nullptr,
                                      nullptr) != SQLITE_OK)
      found.push_back(file.at(0, "-- rows: there is no table '" + table + '\''));
}

}  // namespace

void declare_functions(sqlite3* database, const QuerySettings& settings) {
  for (const DeclaredFunction& function : settings.functions)
    sqlite3_create_function_v2(database, function.name.c_str(), function.arguments, SQLITE_UTF8 | SQLITE_INNOCUOUS,
                               nullptr, stand_in, nullptr, nullptr, nullptr);
}

std::vector<CheckedQuery> check_queries(Connection& connection, const QueryFile& file, Diagnostics& found) {
  const Schema schema(connection, file.settings());
  sqlite3* const database = connection.native().getHandle();
  sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);  // else a wrong "name" is taken for a text
  check_settings(file, database, found);
  Checker checker(database, schema, file, found);
  std::vector<CheckedQuery> checked;
  for (const Query& query : file.queries()) {
    if (query.tokens.empty()) continue;  // told already
    if (auto one = checker.check(query)) checked.push_back(std::move(*one));
  }
  return checked;
}

}  // namespace statehouse::queries
