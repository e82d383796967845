#include "pool/change_feed.hpp"

#include <algorithm>
#include <cerrno>

#include "statehouse/error.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {
namespace {

/// Names that are kept for one who asked for all tables and does not come: a program may make tables without end.
constexpr std::size_t most_names = 1000;

}  // namespace

void NextChange::start() {
  listener_->wait(*this);
}

std::optional<Change> NextChange::take() {
  if (error_ != nullptr) std::rethrow_exception(error_);
  return std::move(change_);
}

void NextChange::on_cancel(asio::cancellation_type type) noexcept {
  if (type != asio::cancellation_type::none) listener_->cancel(*this);
}

ChangeListener::ChangeListener(ChangeFeed& feed, std::shared_ptr<void> owner, std::string database,
                               std::vector<std::string> tables)
    : owner_(std::move(owner)), feed_(feed), database_(std::move(database)), asked_(std::move(tables)) {}

ChangeListener::~ChangeListener() {
  feed_.remove(*this);
}

void ChangeListener::wait(NextChange& next) {
  if (forked()) {
    next.error_ = std::make_exception_ptr(Error(errc::forked_process, "made before the fork", {database_, {}}));
    return next.resume();
  }
  {
    std::lock_guard lock(mutex_);
    if (waiting_ != nullptr) {
      next.error_ = std::make_exception_ptr(
          Error(errc::operation_in_progress, "another next() waits for a change already", {database_, {}}));
    } else if (ready()) {
      take_to(next);
    } else {
      waiting_ = &next;
      return;
    }
  }
  next.resume();
}

void ChangeListener::cancel(NextChange& next) noexcept {
  if (forked()) return;
  ResumeList resumed;
  {
    std::lock_guard lock(mutex_);
    const bool waits = waiting_ == &next;
    if (!waits && !next.change_) return;  // it waits no more
    next.error_ = std::make_exception_ptr(
        Error({ECANCELED, boost::system::system_category()}, "cancelled while waiting for a change", {database_, {}}));
    if (waits) {
      waiting_ = nullptr;
      resumed.add(next);
    } else {
      put_back(next);
      satisfy(resumed);  // another may wait by now
    }
  }
  resumed.post();
}

/// What is on its way to somebody who may not look at it any more, as when a timer has ended first.
void ChangeListener::put_back(NextChange& next) noexcept {
  if (!next.change_) return;
  const Change change = std::move(*next.change_);
  next.change_.reset();
  perhaps_ = perhaps_ || change.perhaps;
  try {
    changed_.insert(change.tables.begin(), change.tables.end());
  } catch (const std::exception&) {  // no memory for the names
    perhaps_ = true;
  }
}

void ChangeListener::end(ResumeList& resumed) noexcept {
  std::lock_guard lock(mutex_);
  ended_ = true;
  satisfy(resumed);
}

void ChangeListener::tell(const std::vector<std::string>* tables, ResumeList& resumed) noexcept {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  try {
    tables == nullptr ? static_cast<void>(perhaps_ = true) : note(*tables);
  } catch (const std::exception&) {  // no memory for the names
    perhaps_ = true;
  }
  satisfy(resumed);
}

void ChangeListener::note(const std::vector<std::string>& tables) {
  for (const std::string& table : tables) {
    if (asked_.empty()) changed_.insert(table);
    for (const std::string& name : asked_)
      if (same_ascii(name, table)) changed_.insert(name);
  }
  if (asked_.empty() && changed_.size() > most_names) {
    changed_.clear();
    perhaps_ = true;
  }
}

std::optional<Change> ChangeListener::take() {
  if (!perhaps_ && changed_.empty()) return std::nullopt;  // it has ended
  if (perhaps_) changed_.insert(asked_.begin(), asked_.end());
  Change change{{changed_.begin(), changed_.end()}, perhaps_};
  changed_.clear();
  perhaps_ = false;
  return change;
}

void ChangeListener::take_to(NextChange& next) noexcept try { next.change_ = take(); } catch (...) {
  next.error_ = std::current_exception();
}

void ChangeListener::satisfy(ResumeList& resumed) noexcept {
  if (waiting_ == nullptr || !ready()) return;
  NextChange& next = *std::exchange(waiting_, nullptr);
  take_to(next);
  resumed.add(next);
}

void ChangeFeed::add(ChangeListener& listener) {
  if (told_ == nullptr) told_ = std::make_unique<Listeners>();
  std::lock_guard lock(told_->mutex);
  told_->all.push_back(listener);
  ++listeners_;
}

void ChangeFeed::remove(ChangeListener& listener) noexcept {
  if (told_ == nullptr) return;
  std::lock_guard lock(told_->mutex);
  if (!listener.is_linked()) return;
  told_->all.erase(told_->all.iterator_to(listener));
  --listeners_;
}

void ChangeFeed::close() noexcept {
  if (told_ == nullptr) return;
  ResumeList resumed;
  {
    std::lock_guard lock(told_->mutex);
    for (ChangeListener& listener : told_->all) listener.end(resumed);
  }
  resumed.post();
}

void ChangeFeed::tell(const std::vector<std::string>* tables) noexcept {
  if (!wanted()) return;
  ResumeList resumed;
  {
    std::lock_guard lock(told_->mutex);
    for (ChangeListener& listener : told_->all) listener.tell(tables, resumed);
  }
  resumed.post();
}

}  // namespace statehouse::detail
