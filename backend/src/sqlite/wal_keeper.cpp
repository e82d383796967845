#include "sqlite/wal_keeper.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>

#include "sqlite/local_engine.hpp"

namespace statehouse::detail {
namespace {

/// Bytes from one checkpoint to the next. Each costs two syncs, and all that waits then waits for them: at SQLite's own
/// 4 MiB a busy writer spends half of its time there.
constexpr std::uint64_t interval_bytes = 32 << 20;
/// Of that, with turns beside the writer:
constexpr int turn_part = 8;   // so much to move is worth a turn,
constexpr int rest_part = 32;  // so little is left to the writer,
constexpr int again_part = 4;  // after so much it tries again where a reader has kept the log from starting anew;
/// and so much over the interval it waits for. Not all of it: the log stays under the soft limit.
constexpr int patience(int interval) noexcept {
  return interval / 4 * 3;
}
constexpr int part(int interval, int of) noexcept {
  return std::max(1, interval / of);
}
/// How long readers are held back so that the log can be cut.
constexpr auto reader_gap = std::chrono::milliseconds(10);
constexpr auto warn_interval = std::chrono::minutes(1);
constexpr int quiet_checks = 5;
constexpr int frame_header = 24;

/// Readers held back, until the end of the scope.
class Gap {
 public:
  explicit Gap(ReaderGate* readers) : readers_(readers), free_(readers == nullptr || readers->hold_back(reader_gap)) {}
  ~Gap() {
    if (readers_ != nullptr) readers_->open_again();
  }
  Gap(const Gap&) = delete;
  Gap& operator=(const Gap&) = delete;
  /// None of them runs.
  bool free() const noexcept { return free_; }

 private:
  ReaderGate* const readers_;
  const bool free_;
};

}  // namespace

WalKeeper::WalKeeper(const LocalEngineConfig& config, LogMover::Open open) noexcept
    : config_(config), mover_(std::move(open), config.options.connection.synchronous != durability::normal) {}

bool WalKeeper::beside() const noexcept {
  return config_.options.connection.synchronous == durability::normal && !mover_.stuck();
}

void WalKeeper::attach(LocalSession& writer) {
  writer.log().checkpoint_from(WriteAheadLog::never);
  const bool first = frame_bytes_ == 0;
  frame_bytes_ = static_cast<std::uint64_t>(writer.log().page_size()) + frame_header;
  const std::uint64_t bytes = std::min(interval_bytes, config_.options.wal_soft_limit / 2);
  interval_ = std::max(1, static_cast<int>(bytes / frame_bytes_));
  if (first) truncate(writer);
}

bool WalKeeper::due(const WriteAheadLog& log) noexcept {
  const int frames = log.frames();
  const bool written = frames_.exchange(frames, std::memory_order_relaxed) != frames;
  // The log has started anew:
  next_ = std::min(next_, frames + interval_);
  last_turn_ = std::min(last_turn_, frames);
  if (config_.checkpointed_by_others() && written)
    unattended_at_.store(over_limit(frames) ? config_.clock->now() : Clock::time_point::min(),
                         std::memory_order_relaxed);
  return next(frames) != step::none || mover_.loss() != nullptr;
}

WalKeeper::step WalKeeper::next(int frames) const noexcept {
  if (config_.checkpointed_by_others()) return over_limit(frames) && frames >= next_ ? step::all : step::none;
  if (!beside()) return frames >= next_ ? step::all : step::none;
  if (frames >= next_ + patience(interval_)) return step::all;
  const bool full = frames >= next_;
  const int moved = mover_.moved();
  const int left = moved <= frames ? frames - moved : frames;
  if (full && left <= part(interval_, rest_part)) return step::rest;
  const int worth = part(interval_, full ? rest_part : turn_part);
  return left >= worth && frames - last_turn_ >= worth ? step::turn : step::none;
}

void WalKeeper::require_unlost() const {
  if (const auto* const why = loss()) throw Error(errc::sync_failed, *why, {config_.database, {}});
}

bool WalKeeper::keep(LocalSession& writer, ReaderGate* readers) {
  require_unlost();
  if (!due(writer.log())) return false;
  const int frames = writer.log().frames();
  const step now = next(frames);
  if (now == step::none) return false;
  if (now == step::turn) {
    last_turn_ = frames;
    return true;
  }
  if (config_.checkpointed_by_others()) warn_unattended(frames);
  if (config_.options.checkpoint == checkpoint_mode::external) {
    next_ = frames + part(interval_, again_part);
    return false;
  }
  const auto baton = now == step::rest ? mover_.try_take() : mover_.take();
  if (baton) {
    move(baton, writer, readers);
  } else {
    next_ = frames + part(interval_, rest_part);  // a turn is under way: nothing is due until there is more
  }
  require_unlost();
  return false;
}

void WalKeeper::move(const LogMover::Baton& baton, LocalSession& writer, ReaderGate* readers) {
  auto result = mover_.move(baton, writer, false);
  if (over_limit(result.frames)) {
    std::vector<Holder> in_the_way;
    bool free = false;
    {
      const Gap gap(readers);
      free = gap.free();
      if (free) {
        result = mover_.move(baton, writer, true);
      } else {
        in_the_way = readers->holders();
        std::erase_if(in_the_way, [](const Holder& holder) { return !holder.running; });
      }
    }
    // Not free and without a reader: the last one has just come to its end.
    if (over_limit(result.frames) && (free || !in_the_way.empty())) warn(result.frames, in_the_way);
  }
  note(result);
}

void WalKeeper::note(const WriteAheadLog::Checkpoint& result) noexcept {
  next_ = beside() ? std::max(interval_, result.frames + part(interval_, again_part)) : result.frames + interval_;
  frames_.store(result.frames, std::memory_order_relaxed);
}

void WalKeeper::truncate(LocalSession& writer) noexcept {
  if (config_.checkpointed_by_others()) return;
  if (const auto baton = mover_.try_take()) note(mover_.move(baton, writer, true));
}

std::string WalKeeper::finish(LocalSession& writer) noexcept {
  if (config_.checkpointed_by_others()) return {};
  auto result = mover_.move(mover_.take(), writer, true);
  return std::move(result.failure);
}

bool WalKeeper::over_limit(int frames) const noexcept {
  return static_cast<std::uint64_t>(frames) * frame_bytes_ > config_.options.wal_soft_limit;
}

bool WalKeeper::may_warn() {
  const auto now = config_.clock->now();
  if (warned_ != Clock::time_point::min() && now - warned_ < warn_interval) return false;
  warned_ = now;
  return true;
}

void WalKeeper::warn_unattended(int frames) {
  if (!may_warn()) return;
  config_.logger->warn(
      "database '{}': the write-ahead log has grown to {} MiB, and the other process that is to checkpoint it "
      "(PoolOptions::checkpoint) does not: is it running?{}",
      config_.database, (static_cast<std::uint64_t>(frames) * frame_bytes_) >> 20,
      config_.options.checkpoint == checkpoint_mode::external ? "" : " So this one does");
}

void WalKeeper::warn(int frames, const std::vector<Holder>& readers) {
  if (!may_warn()) return;
  std::string who = "somebody in another process reads it";
  if (!readers.empty()) {
    const Holder& oldest = *std::ranges::max_element(readers, {}, &Holder::held_for);
    who = "a reader connection is held by " + oldest.verb + " at " + oldest.where + " for " +
          std::to_string(oldest.held_for.count()) + " ms";
  }
  config_.logger->warn("database '{}': the write-ahead log has grown to {} MiB and cannot be cut: {}", config_.database,
                       (static_cast<std::uint64_t>(frames) * frame_bytes_) >> 20, who);
}

bool WalKeeper::note_idle() noexcept {
  if (config_.checkpointed_by_others()) return false;
  const int frames = frames_.load(std::memory_order_relaxed);
  quiet_ = frames == seen_ ? quiet_ + 1 : 0;
  seen_ = frames;
  if (frames == 0 || quiet_ < quiet_checks) return false;
  quiet_ = 0;
  return true;
}

}  // namespace statehouse::detail
