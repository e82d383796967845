#pragma once

#include <optional>
#include <string>

#include "engine/session.hpp"
#include "migrate/run/script_plan.hpp"
#include "migrate/source/script_facts.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migration.hpp"

namespace statehouse::detail {

/// What has to be known of a script before it runs. Throws MigrationError, `errc::migration_refused` with the line,
/// when it controls the transaction it runs in, although it runs in one. `database` is for the message.
ScriptFacts check_script(const Migration& migration, const std::string& database = {});

/// Runs the statements of a migration one by one, ignoring rows; parameters are NULL. A transactional one must begin
/// and end inside a transaction. Throws MigrationError, with `errc::migration_failed` for a statement that failed, and
/// `errc::migration_refused` for one that took what `plan` watches.
void run_script(Connection& connection, const Migration& migration, const ScriptPlan& plan);

/// What connection settings a script needs while it runs; put back on destruction, outside any transaction.
class ScriptSettings {
 public:
  ScriptSettings(Session& session, std::optional<bool> foreign_keys) : session_(session) {
    session_.begin_script(foreign_keys);
  }
  ~ScriptSettings() { session_.end_script(); }
  ScriptSettings(const ScriptSettings&) = delete;
  ScriptSettings& operator=(const ScriptSettings&) = delete;

 private:
  Session& session_;
};

/// Throws MigrationError naming the rows when foreign keys are violated in the database that were not in `earlier`.
void check_foreign_keys(Connection& connection, const Migration& migration, const ScriptPlan& plan,
                        const Violations& earlier);

/// Rethrows what `error`, thrown while doing `what` for a migration, means for its user.
[[noreturn]] void fail_migration(const Session& session, const Migration& migration, const std::string& what,
                                 const Error& error);

}  // namespace statehouse::detail
