#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "engine/commit_watch.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace statehouse::detail {

class WrittenTables;

/// What is written on one connection and not yet committed, for who wants to hear of commits. While nobody does it only
/// knows that something was written.
class CommitNotes {
 public:
  CommitNotes(CommitWatch& watch, sqlite3* db, bool in_memory) noexcept
      : watch_(watch), db_(db), in_memory_(in_memory) {}
  ~CommitNotes();
  CommitNotes(const CommitNotes&) = delete;
  CommitNotes& operator=(const CommitNotes&) = delete;

  /// SQLite tells of rollbacks from now on; again after a user who may have taken its place.
  void install() noexcept;

  bool wanted() const noexcept { return watch_.wanted(); }
  void add(const WrittenTables& tables) noexcept;
  /// Something that nobody has looked at.
  void add_unseen() noexcept { unseen_ = true; }
  /// A user has the database itself, and may write unseen until `end_lent`: whatever is told or rolled back meanwhile,
  /// what he has committed before and what he writes after it is still to be told.
  void add_lent() noexcept;
  void end_lent() noexcept;
  void begin_savepoint() { savepoints_.push_back({tables_.size(), unseen_}); }
  void end_savepoint(bool kept) noexcept;
  /// The transaction was rolled back.
  void forget() noexcept;

  /// After anything that may have ended a transaction: tells what is committed now.
  void settle() noexcept {
    if (any()) tell_if_over();
  }

  /// From here on commits of other connections are told. Those from before are, if nobody says `begin_knowingly`.
  void begin_looking() noexcept;
  /// They were looked for on another connection, which was still there when this one began.
  void begin_knowingly() noexcept { unsure_ = false; }
  /// Tells if there are new commits of other processes; false when that cannot be found out now. In no transaction.
  bool look_for_others() noexcept;
  /// How often SQLite has rolled a transaction back.
  unsigned rollbacks() const noexcept { return rollbacks_; }

 private:
  struct Savepoint {
    std::size_t tables;
    bool unseen;
  };

  bool any() const noexcept { return unseen_ || !tables_.empty(); }
  void tell_if_over() noexcept;
  std::optional<int> data_version() noexcept;

  CommitWatch& watch_;
  sqlite3* const db_;
  const bool in_memory_;
  std::vector<std::string> tables_;  // each once, in the order of their first writing
  std::vector<Savepoint> savepoints_;
  bool unseen_ = false;
  bool unsure_ = false;
  bool lent_ = false;
  bool lent_in_transaction_ = false;  // from its beginning
  unsigned rollbacks_ = 0;
  std::optional<int> seen_;          // data version
  sqlite3_stmt* version_ = nullptr;  // that asks for it, made when first needed
};

}  // namespace statehouse::detail
