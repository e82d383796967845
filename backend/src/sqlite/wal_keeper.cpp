#include "sqlite/wal_keeper.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>

#include "sqlite/local_engine.hpp"

namespace statehouse::detail {
namespace {

/// Bytes from one new log to the next. What is in it more than once is moved once, and each end costs two syncs: at
/// SQLite's own 4 MiB a busy writer spends half of its time there.
constexpr std::uint64_t interval_bytes = 32 << 20;
/// Of that, with turns beside the writer:
constexpr int turn_part = 8;   // so much to move is worth a turn,
constexpr int rest_part = 32;  // so little is left to the writer,
constexpr int again_part = 4;  // after so much it tries again where a reader has kept the log from starting anew;
/// and so much over the interval it goes on for. Not all of it: the log stays under the soft limit.
constexpr int patience(int interval) noexcept {
  return interval / 4 * 3;
}
constexpr int part(int interval, int of) noexcept {
  return std::max(1, interval / of);
}
/// Of the time since the writer was here last, it waits so much for a turn that works at a log which is full: at full
/// speed it writes as much as the turn moves, and little would never be left. At 64 writes in flight the longest was
/// 76 ms without, 12 with a half, and with all of that time no shorter.
constexpr int pace_part = 2;
constexpr auto longest_pace = std::chrono::microseconds(2500);
/// Where each commit is synced the file is made longer before it has to be, as a sync that must record a new length
/// takes twice the time: by as much as the log has, and no more than so many bytes.
constexpr int room_bytes = 256 << 10;
constexpr int short_commit = 4;  // pages; behind longer ones it would be more to write than it saves
constexpr int short_log = 16;    // pages; one that is cut after a few commits is not worth it
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
    : config_(config),
      commits_are_synced_(config.options.connection.synchronous != durability::normal),
      mover_(std::move(open), commits_are_synced_) {}

void WalKeeper::attach(LocalSession& writer) {
  writer.log().checkpoint_from(WriteAheadLog::never);
  const bool first = frame_bytes_ == 0;
  frame_bytes_ = static_cast<std::uint64_t>(writer.log().page_size()) + frame_header;
  const std::uint64_t bytes = std::min(interval_bytes, config_.options.wal_soft_limit / 2);
  interval_ = std::max(1, static_cast<int>(bytes / frame_bytes_));
  if (!first || config_.checkpointed_by_others()) return;
  next_ = interval_;
  frames_.store(writer.log().frames(), std::memory_order_relaxed);  // of the migrations
}

bool WalKeeper::due(const WriteAheadLog& log) noexcept {
  const int frames = log.frames();
  frames_.store(frames, std::memory_order_relaxed);
  // The log has started anew:
  if (frames < last_) {
    looked_ = room_until_ = 0;
    mover_.start_anew();
  }
  next_ = std::min(next_, frames + interval_);
  last_turn_ = std::min(last_turn_, frames);
  if (frames != last_) short_ = frames - last_ <= short_commit;
  if (config_.checkpointed_by_others() && frames != last_)
    unattended_at_.store(over_limit(frames) ? config_.clock->now() : Clock::time_point::min(),
                         std::memory_order_relaxed);
  last_ = frames;
  return next(frames) != step::none || wants_room(frames) || mover_.loss() != nullptr;
}

WalKeeper::step WalKeeper::next(int frames) const noexcept {
  if (config_.checkpointed_by_others()) return over_limit(frames) && frames >= next_ ? step::all : step::none;
  const bool full = frames >= next_;
  if (!beside()) return full ? step::all : step::none;
  if (frames >= next_ + patience(interval_)) return step::all;
  if (full) return frames != looked_ ? step::end : step::none;
  const int worth = part(interval_, turn_part);
  return left(frames) >= worth && frames - last_turn_ >= worth ? step::turn : step::none;
}

bool WalKeeper::beside() const noexcept {
  return !commits_are_synced_ && !mover_.stuck();
}

bool WalKeeper::wants_room(int frames) const noexcept {
  return !config_.checkpointed_by_others() && commits_are_synced_ && short_ && frames >= short_log &&
         frames + short_commit >= room_until_;
}

int WalKeeper::left(int frames) const noexcept {
  const int moved = mover_.moved();
  return moved <= frames ? frames - moved : frames;
}

void WalKeeper::require_unlost() const {
  if (const auto* const why = loss()) throw Error(errc::sync_failed, *why, {config_.database, {}});
}

bool WalKeeper::keep(LocalSession& writer, ReaderGate* readers) {
  require_unlost();
  if (!due(writer.log())) return false;
  const int frames = writer.log().frames();
  const step now = next(frames);
  if (wants_room(frames)) make_room(writer, frames);
  if (now == step::none) return false;
  if (now == step::turn) return ask_for_turn(frames);
  if (config_.checkpointed_by_others()) warn_unattended(frames);
  if (config_.options.checkpoint == checkpoint_mode::external) {
    next_ = frames + part(interval_, again_part);
    return false;
  }
  const auto baton = now == step::end ? take_at_pace(frames) : mover_.take();
  if (!baton) return false;  // a turn is still at it
  const int rest = part(interval_, rest_part);
  if (now == step::all || left(frames) <= rest) {
    move(baton, writer, readers);
    require_unlost();
    return false;
  }
  if (frames - last_turn_ < rest) return false;
  return ask_for_turn(frames);
}

bool WalKeeper::ask_for_turn(int frames) noexcept {
  last_turn_ = frames;
  return true;
}

/// Once for each commit: whoever comes in between, a lease for instance, is not kept by a log that stays full.
LogMover::Baton WalKeeper::take_at_pace(int frames) {
  looked_ = frames;
  const auto since = config_.clock->now() - paced_;
  auto baton = mover_.take_within(std::min<Clock::duration>(since / pace_part, longest_pace));
  paced_ = config_.clock->now();
  return baton;
}

/// Whatever comes of it: the next commit says what is wrong with the disk, or with the lock.
void WalKeeper::make_room(LocalSession& writer, int frames) noexcept {
  room_until_ = frames + std::clamp(static_cast<int>(room_bytes / frame_bytes_), 2 * short_commit, frames);
  // A ROLLBACK would end what a user of this connection has set for his next transaction.
  if (writer.changed()) return;
  if (!writer.try_begin(transaction_kind::immediate)) return;  // else another process might write there as well
  writer.log().reach(room_until_ * static_cast<std::int64_t>(frame_bytes_));
  writer.rollback();
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
        in_the_way = readers->reading();
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
  const auto baton = mover_.try_take();
  if (!baton) return;
  note(mover_.move(baton, writer, true));
  mover_.rest(baton, writer);
}

std::string WalKeeper::finish(LocalSession& writer) noexcept {
  if (config_.checkpointed_by_others()) return {};
  if (loss() == nullptr && writer.log().empty()) return {};
  const auto baton = mover_.take();
  auto result = mover_.move(baton, writer, true);
  mover_.rest(baton, writer);
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
