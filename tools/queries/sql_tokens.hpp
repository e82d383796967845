#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace statehouse::queries {

enum class token_kind { word, text, name, variable, number, symbol, line_comment, block_comment };

/// A piece of SQL that SQLite, too, takes as one.
struct SqlToken {
  token_kind kind;
  std::string_view text;  ///< As written; of a line comment without the line's end.
  std::size_t offset;     ///< Of `text` in what was read.

  bool is_comment() const { return kind == token_kind::line_comment || kind == token_kind::block_comment; }
  /// Whether it is this keyword or symbol; `lower` in small letters.
  bool is(std::string_view lower) const;
};

/// All tokens, comments included; blanks are not there. `text` must outlive them.
std::vector<SqlToken> tokens_of(std::string_view text);

/// Small letters in place of capital ones, in ASCII.
std::string lower(std::string_view text);
/// A letter or '_', then letters, digits and '_': in ASCII.
bool is_identifier(std::string_view text);

}  // namespace statehouse::queries
