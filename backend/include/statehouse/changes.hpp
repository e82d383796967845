#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace statehouse {

namespace detail {
class ChangeListener;
}
#pragma GCC visibility push(default)

namespace asio = boost::asio;

/// What was committed to since the last one.
struct Change {
  /// Sorted, each once: by the names under which they were asked for; where all tables were asked for, by their own.
  std::vector<std::string> tables;
  /// Nobody knows what was changed, if anything was: another process has committed, or `native()` was used. `tables`
  /// are all that were asked for, then; where all were asked for, those that are known.
  bool perhaps = false;
};

/// What `Pool::changes` gives: hears of commits from the moment that it was made.
///
///     Changes changes = pool.changes({"context"});
///     while (auto change = co_await changes.next()) ...
///
/// Effect: a Change comes after its COMMIT, of whichever verb; a read that is begun after it sees what it tells of.
/// Nothing is told of what was rolled back, or of tables that were not asked for. What comes while nobody awaits `next`
/// is merged into one Change, and takes the memory of a set of names, however much it is. A table counts as changed
/// when a statement has changed something that may have written to it, itself, by a trigger or by a foreign key;
/// a virtual table when it was written to by its own name; a table or view also when it was created or dropped. After
/// ALTER TABLE every table perhaps is.
/// Commits of other processes are noticed within a second, as long as nobody holds the writer without a transaction:
/// then when it is given back. A database that is listened to does not fall asleep for want of use; where
/// `max_open_connections` makes it sleep all the same, they are noticed when it wakes.
/// Thread-safety: one thread at a time; several of them are independent.
/// Lifetime: keeps the pool's memory, not its files. When it goes it hears nothing more, and ends a `next` that waits.
class Changes {
 public:
  /// What was moved from is empty.
  Changes(Changes&& other) noexcept = default;
  /// Ends what it was before.
  Changes& operator=(Changes&& other) noexcept;
  ~Changes();

  /// The next Change, which may have come already; nothing when the database was closed, as by a shutdown. One at a
  /// time.
  /// Executor: resumes on the caller's executor, by a post; that counts an outstanding work meanwhile.
  /// Cancellation: by any type; no Change is lost by it.
  /// Errors: Error. `operation_aborted`, `errc::operation_in_progress` when another `next` waits,
  /// `errc::invalid_handle` when it was moved from.
  asio::awaitable<std::optional<Change>> next() &;
  /// Of a temporary, which would hear nothing more: give it a name.
  asio::awaitable<std::optional<Change>> next() && = delete;

 private:
  friend class Pool;
  explicit Changes(std::shared_ptr<detail::ChangeListener> listener) noexcept;

  std::shared_ptr<detail::ChangeListener> listener_;
};

}  // namespace statehouse
#pragma GCC visibility pop
