#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/sql_scanner.hpp"

namespace statehouse::detail {

/// What a statement is, by its text alone: a node tells nothing of it before it has run, and a statement that is run by
/// the wrong request kills a node.
struct StatementFacts {
  enum class kind : unsigned char { read, write, begin, commit, rollback, savepoint, release, rollback_to };

  kind what = kind::write;
  bool changes_rows = false;  ///< INSERT, UPDATE, DELETE or REPLACE: the number of changes is its own.
  bool inserts = false;
  bool upserts = false;      ///< It says ON CONFLICT, and so may update where it seems to insert.
  bool returning = false;    ///< A write that gives rows.
  bool rolls_back = false;   ///< It says ROLLBACK, as OR ROLLBACK, and may end the transaction.
  bool sets_keys = false;    ///< PRAGMA foreign_keys, to which SQLite listens outside a transaction only.
  bool temporary = false;    ///< Leaves something with the connection, which nobody has after that.
  bool defers_keys = false;  ///< Foreign keys may be violated from now on until the transaction ends.
  std::string pragma{};      ///< Its name in small letters, where it is one.
  bool pragma_sets = false;  ///< It gives the pragma a value or an argument.

  bool reads() const noexcept { return what == kind::read; }
  bool controls_transaction() const noexcept { return what >= kind::begin; }
};

/// All or part of one.
using Tokens = std::span<const SqlToken>;

/// Whether that word stands there.
bool is_at(Tokens tokens, std::size_t at, std::string_view word) noexcept;

/// All of a statement, without the comments.
std::vector<SqlToken> tokens_of(std::string_view statement);

/// As they are written, in the order in which SQLite numbers them; empty for those that have none.
std::vector<std::string> parameter_names(const std::vector<SqlToken>& tokens);

StatementFacts facts_of(const std::vector<SqlToken>& tokens);

}  // namespace statehouse::detail
