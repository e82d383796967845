#pragma once

#include <string>

namespace statehouse::detail {

/// What to add to SQLite's sentence about a script's statement: what the file is, or what to do. Empty where SQLite
/// says it all.
std::string explain_refusal(const std::string& sentence, bool no_transaction);

}  // namespace statehouse::detail
