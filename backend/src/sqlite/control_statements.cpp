#include "sqlite/control_statements.hpp"

namespace statehouse::detail {

ControlStatements::~ControlStatements() {
  for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
}

void ControlStatements::run(control which) {
  static constexpr std::array texts{"BEGIN",
                                    "BEGIN IMMEDIATE",
                                    "COMMIT",
                                    "ROLLBACK",
                                    "SAVEPOINT statehouse",
                                    "RELEASE statehouse",
                                    "ROLLBACK TO statehouse"};
  const auto index = static_cast<std::size_t>(which);
  sqlite3_stmt*& statement = statements_[index];
  const auto attempt = [&] {
    int result = SQLITE_OK;
    if (statement == nullptr)
      result = sqlite3_prepare_v3(handle_.get(), texts[index], -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    return result == SQLITE_OK ? handle_.callbacks().step(statement) : result;
  };
  int result = attempt();
  if (result != SQLITE_DONE && handle_.forget_interrupt(result)) result = attempt();
  sqlite3_reset(statement);
  if (result != SQLITE_DONE) handle_.fail(result, texts[index]);
}

}  // namespace statehouse::detail
