#include "sqlite/log_mover.hpp"

namespace statehouse::detail {
namespace {

/// The writer has the baton for a moment also when it just looks at what is left.
constexpr auto longest_look = std::chrono::milliseconds(1);

}  // namespace

WriteAheadLog::Checkpoint LogMover::move(const Baton&, LocalSession& writer, bool truncate) noexcept {
  if (lost_) return {.frames = writer.log().frames(), .failure = loss_};
  const auto result = writer.log().checkpoint(truncate);
  if (result.sync_failed && (unsynced_ || !commits_are_synced_)) lose(result.failure);
  if (!result.told) return result;
  unsynced_ = result.moved > 0 && result.moved < result.frames;
  moved_ = {moved_.load().log, result.moved};
  stuck_ = false;
  return result;
}

void LogMover::rest(const Baton&, LocalSession& writer) noexcept {
  session_.reset();
  writer.log().unpin();
}

void LogMover::turn() noexcept {
  const Baton baton = take_within(longest_look);
  if (baton && !lost_ && !move_beside()) stuck_ = true;
}

bool LogMover::move_beside() noexcept {
  if (session_ == nullptr) session_ = open_();
  if (session_ == nullptr) return false;
  Moved before = moved_;
  const auto result = session_->log().checkpoint(false);
  if (result.sync_failed) lose(result.failure);
  if (!result.told) return result.failure.empty();
  // SQLite has synced the database only if this was the end of the log, and the writer may have gone on meanwhile.
  if (const std::string failure = session_->log().sync_database(); !failure.empty()) {
    lose(failure);
    return false;
  }
  unsynced_ = false;
  moved_.compare_exchange_strong(before, {before.log, result.moved});
  return true;
}

void LogMover::close() noexcept {
  const Baton baton = take();
  session_.reset();
}

void LogMover::lose(const std::string& why) noexcept {
  loss_ = why;
  lost_ = true;
}

}  // namespace statehouse::detail
