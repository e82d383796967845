#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "migrate/run/references.hpp"
#include "migrate/source/script_facts.hpp"
#include "statehouse/migration.hpp"
#include "statehouse/migration_folder.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::detail {

class ScratchSchema;

/// For messages: what to write where a rebuild takes rows of other tables.
inline constexpr std::string_view ways_to_rebuild =
    "To keep them, put the rebuild into a file of its own (CREATE the new table, copy, DROP the old one, RENAME), or "
    "begin this one with -- foreign-keys off; to have it so, begin it with -- foreign-keys on";

/// How a script inside a transaction is to run.
struct ScriptPlan {
  /// It commits the transaction it runs in and begins others; at its end it is in one.
  bool leaves_transaction = false;

  /// Switched so around the transaction; nullopt leaves them as the connection has them.
  std::optional<bool> switched;
  /// A DROP TABLE that may not take anything from these other tables.
  struct Watched {
    std::string table;
    std::size_t offset;  ///< Of the statement in the file.
    std::vector<Reference> taken;
  };
  std::vector<Watched> watched;
  /// Why the keys are as they are; for the error of a watched script, too.
  std::string reason;
  /// What is to be said of it beforehand.
  std::vector<MigrationProblem> remarks;

  bool off() const noexcept { return switched == false; }
};

/// Decides it, for one script after the other in the order they run.
///
/// The rule of foreign keys. A script means what SQLite makes of it inside a transaction with foreign keys on, which is
/// what sqlx does with it. There is one exception, since there SQLite's meaning is never what was meant: the pure
/// rebuild. It creates a table, copies into it, drops another one and renames the new to the name of the dropped, and
/// writes nothing else that a foreign key is concerned with. For it the keys are off, and checked before the commit. A
/// script that rebuilds and does more than that cannot be split, so it keeps SQLite's meaning, but no DROP TABLE in it
/// may take rows, or references of rows, which it does not put back itself: it is rolled back then. DELETE, UPDATE and
/// REPLACE may, as they say so. Where there is no rebuild of that form (the old table is renamed first, or the rows are
/// parked), or the script says PRAGMA defer_foreign_keys, SQLite's meaning is the script's, and what it takes is only
/// told beforehand.
class ScriptPlanner {
 public:
  /// For these scripts, on the schema of `database`, or on none. Without a DROP TABLE in any of them nothing has to be
  /// followed.
  ScriptPlanner(foreign_keys_mode mode, std::span<const ScriptFacts> scripts, Connection* database);
  ~ScriptPlanner();

  /// The script must be free of transaction control that is refused. One outside a transaction is its author's alone.
  ScriptPlan plan(const Migration& migration, const ScriptFacts& facts);
  /// What the script does to the schema, for those after it.
  void follow(const Migration& migration);
  /// The same, but as if `migration` had not run.
  ScriptPlan plan_alone(const Migration& migration, const ScriptFacts& facts);

 private:
  const foreign_keys_mode mode_;
  std::unique_ptr<ScratchSchema> schema_;
};

/// What is to be said of violations that were there before `migration`: they are not its fault, but nobody else tells.
MigrationProblem remark_on(const Violations& earlier, const Migration& migration);

/// What to do about a view or a trigger that SQLite says is in the way of a changed schema; empty when it says no such
/// thing.
std::string advice_on(const std::string& failure);

}  // namespace statehouse::detail
