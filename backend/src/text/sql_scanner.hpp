#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace statehouse::detail {

struct SqlToken {
  enum class type { word, quoted, symbol, comment };
  type kind;
  std::string_view text;  ///< As written, quotes included; of a comment without the line's end.

  bool is(std::string_view keyword) const noexcept;
  /// Without its quotes, a doubled one inside being one.
  std::string name() const;
};

struct SqlStatement {
  std::string_view text;         ///< From its first token to its last, without the semicolon.
  std::size_t offset = 0;        ///< Of `text` in the script.
  std::vector<SqlToken> tokens;  ///< The first few, enough to tell what it is.
};

/// Splits a script into statements as SQLite's own tokenizer does: comments, string and name quotes, parameters, the
/// bodies of triggers and the arguments of virtual tables are understood. Never fails; where the script is no SQL,
/// SQLite itself says so later.
///
/// Ours, because SQLite's own parser cannot be asked beforehand: on a scratch database DROP and RENAME fail for want of
/// the tables and so say nothing of themselves, EXPLAIN COMMIT counts as a COMMIT, and `sqlite3_complete` ends a
/// statement inside `$name(;)`.
class SqlScanner {
 public:
  explicit SqlScanner(std::string_view script) noexcept : script_(script) {}
  std::optional<SqlStatement> next_statement();
  /// Of what comes next: after a statement, behind its semicolon.
  std::size_t position() const noexcept { return at_; }
  /// What comes next, comments included.
  std::optional<SqlToken> next_piece();
  /// Reads the rest; true when that ends inside a string or a quoted name.
  bool ends_in_quotes();

 private:
  std::optional<SqlToken> next_token();
  void skip_blanks();
  std::size_t comment_length() const;
  std::size_t token_length() const;

  std::string_view script_;
  std::size_t at_ = 0;
};

}  // namespace statehouse::detail
