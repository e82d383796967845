#pragma once

#include <cstdint>

struct sqlite3;

namespace statehouse::detail {

/// Gives the connection the function behind `text REGEXP pattern`: Rust's regex syntax (see regexp/translator.hpp) on
/// RE2.
///
/// 1 if the pattern is found anywhere in the text, else 0; NULL if either operand is not TEXT. An invalid pattern, and
/// invalid UTF-8 in either operand, is an SQL error that names the pattern. Usable in CHECK constraints, indexes,
/// triggers and views, whatever `trusted_schema` says. A pattern that is constant in a statement is compiled once each
/// time the statement runs.
///
/// A match cannot be interrupted. Mostly it takes about 1 ms per MiB of text; where `match_cost` says that it could
/// take more than `budget` steps (0: no limit), it is not begun, and an SQL error says so.
///
/// Throws Error if SQLite refuses the registration.
void register_regexp(sqlite3* db, std::uint64_t budget);

}  // namespace statehouse::detail
