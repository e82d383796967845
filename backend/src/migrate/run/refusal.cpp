#include "migrate/run/refusal.hpp"

#include "engine/error_class.hpp"

namespace statehouse::detail {

std::string explain_refusal(const std::string& sentence, bool no_transaction) {
  const auto says = [&](const char* part) { return sentence.find(part) != std::string::npos; };
  // What cannot be done in a transaction, says SQLite in three ways.
  if (!no_transaction && (says("within a transaction") || says("inside a transaction")))
    return ": let the file begin with -- no-transaction";
  if (sentence.starts_with("object name reserved for internal use"))
    return ": SQLite makes such tables itself. The sqlite3 shell prints them with .schema and .dump: remove the "
           "statement";
  return explain_missing_function(sentence);
}

}  // namespace statehouse::detail
