#pragma once

#include <boost/intrusive/list.hpp>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/commit_watch.hpp"
#include "file/fork.hpp"
#include "statehouse/changes.hpp"
#include "statehouse/detail/suspension.hpp"

namespace statehouse::detail {

class ChangeFeed;
class ChangeListener;

/// A caller of `Changes::next`.
class NextChange final : public Suspension {
 public:
  explicit NextChange(std::shared_ptr<ChangeListener> listener) noexcept : listener_(std::move(listener)) {}

  void start();
  /// The outcome, once it is resumed.
  std::optional<Change> take();

 private:
  friend class ChangeListener;
  void on_cancel(asio::cancellation_type type) noexcept override;

  const std::shared_ptr<ChangeListener> listener_;
  std::optional<Change> change_;
  std::exception_ptr error_;
};

/// One who hears of commits, and what he was not told yet.
///
/// Thread-safety: all functions may be called from any thread.
class ChangeListener final : public boost::intrusive::list_base_hook<> {
 public:
  /// `owner` has the feed; `database` is its name. It hears nothing before it is added there.
  ChangeListener(ChangeFeed& feed, std::shared_ptr<void> owner, std::string database, std::vector<std::string> tables);
  ~ChangeListener();
  ChangeListener(const ChangeListener&) = delete;
  ChangeListener& operator=(const ChangeListener&) = delete;

  /// In a child of the process that has made it: then no mutex is touched, and it is never destroyed.
  bool forked() const noexcept { return generation_ != fork_generation(); }
  void wait(NextChange& next);
  void cancel(NextChange& next) noexcept;
  /// It is told nothing any more, and whoever waits is resumed by `resumed`.
  void end(ResumeList& resumed) noexcept;

  /// Those tables were changed; null: perhaps any. Who waits for that is resumed by `resumed`.
  void tell(const std::vector<std::string>* tables, ResumeList& resumed) noexcept;

 private:
  // Under the mutex.
  void note(const std::vector<std::string>& tables);
  bool ready() const noexcept { return ended_ || perhaps_ || !changed_.empty(); }
  std::optional<Change> take();
  void take_to(NextChange& next) noexcept;
  void satisfy(ResumeList& resumed) noexcept;
  void put_back(NextChange& next) noexcept;

  const unsigned generation_ = fork_generation();
  const std::shared_ptr<void> owner_;
  ChangeFeed& feed_;
  const std::string database_;
  const std::vector<std::string> asked_;  // none: all

  std::mutex mutex_;
  std::set<std::string> changed_;
  bool perhaps_ = false;
  bool ended_ = false;
  NextChange* waiting_ = nullptr;
};

/// Who hears of the commits to one database. Takes nothing before there is anybody. Its mutex comes before those of the
/// listeners.
///
/// Thread-safety: all functions may be called from any thread, `add` and `close` by one at a time.
class ChangeFeed final : public CommitWatch {
 public:
  void add(ChangeListener& listener);
  void remove(ChangeListener& listener) noexcept;
  /// The end for all.
  void close() noexcept;

  void committed(const std::vector<std::string>& tables) noexcept override { tell(&tables); }
  void committed_something() noexcept override { tell(nullptr); }

 private:
  struct Listeners {
    std::mutex mutex;
    boost::intrusive::list<ChangeListener> all;
  };

  void tell(const std::vector<std::string>* tables) noexcept;

  std::unique_ptr<Listeners> told_;  // made for the first, and kept
};

}  // namespace statehouse::detail
