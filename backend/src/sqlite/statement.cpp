#include "statehouse/detail/statement.hpp"

#include <utility>

#include "statehouse/detail/session.hpp"

namespace statehouse::detail {

Statement::~Statement() {
  session_.give_back(handle_, cached_);
}

bool Statement::step() {
  if (!sqlite3_stmt_busy(handle_)) session_.throw_if_stopped(sql_);
  sqlite3_stmt* const outer = std::exchange(session_.stepping_, handle_);
  const int result = sqlite3_step(handle_);
  session_.stepping_ = outer;
  switch (result) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: return false;
    default: session_.fail(result, sql_);
  }
}

void Statement::run_to_completion() {
  while (step()) {
  }
}

}  // namespace statehouse::detail
