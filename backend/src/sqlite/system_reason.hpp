#pragma once

#include <sqlite3.h>

#include <string>

namespace statehouse::detail {

/// What the operating system said behind SQLite's last error on `db`, which was `result`, and what to do, as the end
/// of a sentence; empty where it said nothing, and without a `db`, as there is when it could not be opened.
std::string system_reason(sqlite3* db, int result);

}  // namespace statehouse::detail
