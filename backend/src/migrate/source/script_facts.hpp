#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/sql_scanner.hpp"

namespace statehouse::detail {

/// What the text of a script says of transactions and foreign keys. SAVEPOINT, RELEASE and ROLLBACK TO are not meant.
struct ScriptFacts {
  /// The first BEGIN, COMMIT, END or ROLLBACK that a script inside a transaction may not have.
  std::optional<SqlStatement> transaction_control;
  /// The first COMMIT, where each is followed by a BEGIN: the script leaves the transaction it runs in and comes back.
  std::optional<SqlStatement> commit;
  /// The first PRAGMA foreign_keys = OFF.
  std::optional<SqlStatement> keys_off;
  /// It says PRAGMA defer_foreign_keys.
  bool defers = false;
  bool drops_table = false;
};

ScriptFacts examine(std::string_view script);

// What a statement says of tables, by its text alone. Names are as written, without quotes and `main.`; empty where the
// statement is another one.

std::string dropped_table(const SqlStatement& statement);
std::string created_table(const SqlStatement& statement);
/// Without a WITH before it.
std::string inserted_table(const SqlStatement& statement);
struct Renaming {
  std::string from;
  std::string to;
};
std::optional<Renaming> renaming(const SqlStatement& statement);
/// INSERT, UPDATE, DELETE or REPLACE, or a WITH, which may be any of them.
bool may_write_rows(const SqlStatement& statement);
/// It says REPLACE somewhere at its beginning.
bool says_replace(const SqlStatement& statement);

}  // namespace statehouse::detail
