#include <spdlog/logger.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "file/inner_directory.hpp"
#include "file/remove_database.hpp"
#include "state/database.hpp"

// How a database is closed, and removed, and what comes after it.

namespace statehouse::detail {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::shared_ptr<Database> Database::make_successor() {
  auto next = std::make_shared<Database>(surroundings_, name_);
  next->predecessor_ = shared_from_this();
  std::lock_guard lock(mutex_);
  next->migrator_ = migrator_;
  next->options_ = options_;
  next->own_migrator_ = own_migrator_;
  next->own_options_ = own_options_;
  return next;
}

std::shared_ptr<Database> Database::predecessor() {
  std::shared_ptr<Database> gone;  // destroyed when the mutex is free
  std::lock_guard lock(mutex_);    // the order is from the younger to the older
  if (predecessor_ != nullptr && predecessor_->predecessor() == nullptr && predecessor_->is_gone())
    gone = std::move(predecessor_);
  return predecessor_;
}

/// Unless all that came before is gone: `told` is called when one of them is, to look again.
bool Database::wait_for_predecessor(const std::function<void()>& told) {
  for (auto before = predecessor(); before != nullptr; before = before->predecessor())
    if (before->tell_when_gone(told)) return true;
  return false;
}

bool Database::tell_when_gone(const std::function<void()>& told) {
  std::lock_guard lock(mutex_);
  if (state_ == state::gone) return false;
  on_gone_.push_back(told);
  return true;
}

bool Database::refuse(ending why, Clock::time_point began, std::function<void()> on_gone) {
  std::lock_guard lock(mutex_);
  if (state_ == state::gone) return false;
  if (!ending_) {
    ending_ = why;
    end_began_ = began;
  }
  if (why == ending::removal && removal_ == removal::unwanted) removal_ = removal::wanted;
  const bool waits = std::exchange(wanted_, false) || (state_ == state::opening && interrupter_ == nullptr);
  if (waits) state_ = state::absent;  // for a thread, which will find that it is not wanted
  if (waits || (state_ == state::failed && core_ == nullptr)) closed_at_ = began;
  if (core_ != nullptr) surroundings_->open_pools.withdraw(text_);
  if (core_ == nullptr && state_ != state::opening && removal_ == removal::unwanted) {
    state_ = state::gone;
    strand_.reset();
    return false;
  }
  on_gone_.push_back(std::move(on_gone));
  return true;
}

void Database::close() {
  ending why{};
  {
    std::lock_guard lock(mutex_);
    why = ending_.value_or(ending::shutdown);
  }
  waiters_->refuse(why);
  publish();  // an opening that is over, but the strand has not seen it
  refuse_visitors();
  close_pool();
}

void Database::close_pool() {
  std::shared_ptr<PoolCore> core;
  std::exception_ptr error;
  {
    std::lock_guard lock(mutex_);
    if (core_ == nullptr && (state_ == state::opening || removal_ == removal::unwanted)) return;
    if (std::exchange(told_to_close_, true)) return;
    core = core_;
    error = std::make_exception_ptr(closed_error(text_, ending_.value_or(ending::shutdown)));
  }
  if (core == nullptr) return remove_when_alone();
  core->close(std::move(error), [self = shared_from_this()] { self->on_closed(); });
}

void Database::on_closed() {
  const auto now = surroundings_->config.clock->now();
  std::string unfinished = core_ != nullptr ? core_->unfinished() : std::string();
  bool removes = false;
  Clock::time_point began;
  {
    std::lock_guard lock(mutex_);
    began = end_began_;
    closed_at_ = now;
    removes = removal_ == removal::wanted;
    if (removes) unfinished.clear();
    unfinished_ = unfinished;
  }
  if (core_ == nullptr || !core_->ended_asleep())
    surroundings_->config.logger->info("database '{}': closed in {} ms", text_,
                                       duration_cast<milliseconds>(now - began).count());
  if (!unfinished.empty()) surroundings_->config.logger->error("database '{}': {}", text_, unfinished);
  return removes ? post_removal() : end();
}

/// It was never open, but another of that name may be.
void Database::remove_when_alone() {
  if (!wait_for_predecessor([self = shared_from_this()] { self->remove_when_alone(); })) post_removal();
}

void Database::check_removable() const {
  std::lock_guard lock(mutex_);
  if (in_cluster(*options()))
    throw Error(errc::not_supported, "a database of a cluster is not removed from here", {text_, {}});
  if (options()->read_only)
    throw Error(errc::write_on_reader, "the database was opened read_only: who writes it removes it", {text_, {}});
}

void Database::post_removal() {
  if (!surroundings_->config.executor.post([self = shared_from_this()] { self->remove_file(); })) remove_file();
}

void Database::remove_file() {
  std::filesystem::path file;
  bool wanted = false;
  {
    std::lock_guard lock(mutex_);
    if (removal_ == removal::begun) return;  // by who could not wait for a thread
    wanted = std::exchange(removal_, removal::begun) == removal::wanted && !options()->in_memory;
    if (wanted) file = surroundings_->path_of(name_, *options());
  }
  bool removed = false;
  std::exception_ptr failure;
  try {
    removed = wanted && has_inner_directory(surroundings_->directory, name_.directory()) && remove_database(file);
  } catch (...) {
    failure = std::current_exception();
  }
  if (removed) surroundings_->config.logger->info("database '{}': removed {}", text_, file.filename().string());
  if (failure != nullptr)
    surroundings_->config.logger->error("database '{}': not removed: {}", text_, text_of(failure));
  {
    std::lock_guard lock(mutex_);
    removed_ = removed;
    removal_failure_ = failure;
  }
  end();
}

bool Database::take_removed() {
  std::lock_guard lock(mutex_);
  if (removal_failure_ != nullptr) std::rethrow_exception(removal_failure_);
  if (state_ == state::gone) return removed_;
  if (removal_ == removal::wanted) removal_ = removal::unwanted;
  throw Error(errc::acquire_timeout,
              removal_ == removal::begun ? "the file is being removed, and that takes longer"
                                         : "not removed: it is still in use, and will be closed when that has ended",
              {text_, {}});
}

void Database::end() {
  std::vector<std::function<void()>> told;
  {
    std::lock_guard lock(mutex_);
    state_ = state::gone;
    strand_.reset();
    told.swap(on_gone_);
  }
  for (const auto& tell : told) tell();
}

void Database::interrupt() {
  std::shared_ptr<PoolCore> core;
  {
    std::lock_guard lock(mutex_);
    if (state_ == state::gone) return;
    if (interrupter_ != nullptr) interrupter_->request(stop_reason::shutdown);
    interrupted_ |= interrupter_ != nullptr || (core_ != nullptr && !core_->holders().empty());
    core = core_;
  }
  if (core != nullptr) core->interrupt();
}

void Database::close_now() {
  std::shared_ptr<PoolCore> core;
  {
    std::lock_guard lock(mutex_);
    if (state_ != state::gone) core = core_;
  }
  if (core != nullptr) core->close_now();
  {
    std::lock_guard lock(mutex_);
    if (removal_ != removal::wanted || (core_ == nullptr ? state_ == state::opening : !closed_at_)) return;
  }
  if (predecessor() == nullptr) remove_file();
}

}  // namespace statehouse::detail
