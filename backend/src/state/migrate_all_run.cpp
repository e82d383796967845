#include "state/migrate_all_run.hpp"

#include <algorithm>

#include "base/error_text.hpp"
#include "engine/error_class.hpp"
#include "state/errors.hpp"

namespace statehouse {

bool MigrateAllReport::clean() const noexcept {
  return not_begun == 0 &&
         std::ranges::all_of(databases, [](const MigratedDatabase& each) { return each.failure.empty(); });
}

}  // namespace statehouse

namespace statehouse::detail {
void MigrateAllRun::start() {
  if (registry_->config().executor.post([this] { find(); })) return;  // and may be over
  error_ = std::make_exception_ptr(closed_error());
  resume();
}

/// On a database thread.
void MigrateAllRun::find() {
  try {
    std::vector<MigratedDatabase> found;
    for (std::string& name : registry_->find_files(pattern_)) found.emplace_back().name = std::move(name);
    std::lock_guard lock(mutex_);
    databases_ = std::move(found);
  } catch (...) {
    end(std::current_exception());
  }
  go_on();
}

void MigrateAllRun::end(std::exception_ptr error) noexcept {
  std::lock_guard lock(mutex_);
  ended_ = true;
  if (error_ == nullptr) error_ = std::move(error);
}

void MigrateAllRun::on_cancel(asio::cancellation_type type) noexcept {
  if (type != asio::cancellation_type::none) end(nullptr);
}

/// By who counts as running, and does not afterwards: begins as many as may. The last one resumes the caller, after
/// which this may be gone.
void MigrateAllRun::go_on() noexcept {
  std::unique_lock lock(mutex_);
  while (!ended_ && !registry_->stopping() && next_ < databases_.size() &&
         running_ <= std::max<std::size_t>(options_.concurrency, 1)) {
    const std::size_t index = next_++;
    ++running_;
    lock.unlock();
    begin(index);
    lock.lock();
  }
  const bool over = --running_ == 0;
  lock.unlock();
  if (!over) return;
  registry_->forget_visited();
  resume();
}

void MigrateAllRun::begin(std::size_t index) noexcept {
  std::optional<Visit> visit;
  try {
    visit = registry_->visit(DatabaseName::parse_or_throw(databases_[index].name), [this, index](const Visit& done) {
      note(index, done);
      go_on();
    });
  } catch (...) {
    visit = Visit{.failure = std::current_exception()};
  }
  if (!visit) return;  // goes on
  note(index, *visit);
  std::lock_guard lock(mutex_);
  --running_;
}

void MigrateAllRun::note(std::size_t index, const Visit& visit) noexcept {
  MigratedDatabase& database = databases_[index];  // nobody else's
  try {
    database.versions = visit.applied.versions;
    database.was_open = visit.was_open;
    database.elapsed = visit.elapsed;
    if (visit.failure != nullptr) {
      database.code = code_of(visit.failure);
      database.failure = text_of(visit.failure);
    }
    std::lock_guard lock(telling_);
    if (options_.progress) options_.progress(database, ++told_, databases_.size());
  } catch (...) {
    end(std::current_exception());
  }
}

MigrateAllReport MigrateAllRun::take() {
  if (error_ != nullptr) std::rethrow_exception(error_);
  MigrateAllReport report{.databases = std::move(databases_)};
  report.not_begun = report.databases.size() - next_;
  report.databases.resize(next_);
  return report;
}

}  // namespace statehouse::detail
