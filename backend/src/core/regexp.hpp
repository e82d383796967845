#pragma once

struct sqlite3;

namespace statehouse::detail {

/// Gives the connection the function behind `text REGEXP pattern`: Rust's regex syntax (see regexp_syntax.hpp) on RE2.
///
/// 1 if the pattern is found anywhere in the text, else 0; NULL if either operand is not TEXT. An invalid pattern, and
/// invalid UTF-8 in either operand, is an SQL error that names the pattern. Usable in CHECK constraints, indexes,
/// triggers and views, whatever `trusted_schema` says. A pattern that is constant in a statement is compiled once each
/// time the statement runs.
///
/// Time is proportional to the length of the text times the size of the compiled pattern, in the worst case, and a
/// match cannot be interrupted. Throws Error if SQLite refuses the registration.
void register_regexp(sqlite3* db);

}  // namespace statehouse::detail
