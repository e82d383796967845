#pragma once

#include <string>
#include <vector>

#include "migrate/run/references.hpp"
#include "migrate/source/script_facts.hpp"
#include "statehouse/connection.hpp"

struct sqlite3_stmt;

namespace statehouse::detail {

/// A database in memory that has a schema and no rows. It follows what scripts do to the schema and tells, by SQLite's
/// own parser, what a statement would do to rows: with views, triggers, WITH and every way to write a name understood.
///
/// Only changes of the schema are run, and cost nothing as there are no rows. What SQLite cannot make sense of here,
/// for want of a table or a module, is judged by its text.
class ScratchSchema {
 public:
  ScratchSchema();

  /// Takes over the schema of `main`.
  void copy(Connection& from);

  /// Rows of a table that a statement writes, itself or by a trigger.
  struct Write {
    std::string table;     ///< Of `main`, or with its schema before it; empty: nobody knows which.
    bool inserts = false;  ///< Among others.
    bool inserts_only = false;
    std::vector<std::string> columns{};  ///< That an UPDATE sets.
  };
  struct Effect {
    std::vector<Write> writes;
    /// It reads a table that it does not write.
    bool reads = false;
    /// Tables that are there now, and that are not any more; one of each is a renaming.
    std::vector<std::string> created;
    std::vector<std::string> gone;
    /// Before a table is dropped: who refers to it, and what they would lose with its rows.
    std::vector<Reference> references;
    std::vector<Reference> taken;
    /// What SQLite said of a change of the schema that failed.
    std::string failure;
  };
  Effect follow(const SqlStatement& statement);

  /// What `action` follows is forgotten when it returns.
  template <class Action>
  void forgetting(Action&& action) {
    connection_.execute("SAVEPOINT forgotten");
    action();
    connection_.execute("ROLLBACK TO forgotten");
    connection_.execute("RELEASE forgotten");
  }

  /// Whether any table refers to this one; it to itself, too.
  bool is_referred_to(const std::string& table);
  bool refers(const std::string& table);
  bool exists(const std::string& table);
  /// Whether the table's definition says REPLACE.
  bool may_replace(const std::string& table);

 private:
  struct Observed;  // by the authorizer
  sqlite3_stmt* compile(const std::string& sql);
  bool supply(const std::string& what_failed);
  void change(sqlite3_stmt* statement, const std::string& dropped, Effect& effect);
  std::vector<std::string> tables();

  Connection connection_;
};

}  // namespace statehouse::detail
