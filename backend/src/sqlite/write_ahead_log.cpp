#include "sqlite/write_ahead_log.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/error_text.hpp"
#include "sqlite/checkpoint_history.hpp"
#include "sqlite/local_session.hpp"
#include "sqlite/system_reason.hpp"

namespace statehouse::detail {
namespace {

/// A connection that reads, is never stopped, and waits for nobody.
std::unique_ptr<Session> open_pin(const SessionConfig& writer) {
  SessionConfig config = writer;
  config.context.role = connection_role::reader;
  config.context.interrupter = std::make_shared<Interrupter>(writer.context.interrupter->shared_clock());
  config.options.busy_timeout = {};
  return std::make_unique<LocalSession>(std::move(config));
}

checkpoint_outcome outcome_of(const WriteAheadLog::Checkpoint& result, bool in_the_way) noexcept {
  if (!result.failure.empty()) return checkpoint_outcome::error;
  if (in_the_way || !result.told) return checkpoint_outcome::busy;
  return result.moved == result.frames ? checkpoint_outcome::complete : checkpoint_outcome::partial;
}

}  // namespace

/// The pin's read transaction, until the end of the scope.
class WriteAheadLog::Pinned {
 public:
  explicit Pinned(WriteAheadLog& log) noexcept : log_(log) {
    try {
      if (log.pin_ == nullptr) log.pin_ = open_pin(log.handle_.config());
      log.pin_->begin(transaction_kind::deferred);
      set_ = log.pin_->prepare("SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)")->step();
    } catch (const Error& error) {
      if (error.code() != condition::busy) failure_ = error.what();
    } catch (...) {  // on_open may throw anything
      failure_ = text_of(std::current_exception());
    }
  }
  ~Pinned() {
    if (log_.pin_ != nullptr) log_.pin_->clean();
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  bool set() const noexcept { return set_; }
  /// Why not; empty when another process keeps everybody from reading.
  const std::string& failure() const noexcept { return failure_; }

 private:
  WriteAheadLog& log_;
  bool set_ = false;
  std::string failure_;
};

WriteAheadLog::WriteAheadLog(Handle& handle) noexcept : handle_(handle) {}
WriteAheadLog::~WriteAheadLog() = default;

void WriteAheadLog::watch() noexcept {
  watched_ = true;
  sqlite3_wal_hook(
      handle_.get(),
      [](void* self, sqlite3*, const char* schema, int frames) {
        if (std::string_view(schema) == "main") static_cast<WriteAheadLog*>(self)->on_commit(frames);
        return SQLITE_OK;
      },
      this);
}

void WriteAheadLog::on_commit(int frames) noexcept {
  frames_ = frames;
  ++commits_;
  if (frames >= automatic_) checkpoint(false);
}

int WriteAheadLog::page_size() {
  return std::stoi(handle_.pragma("PRAGMA page_size"));
}

WriteAheadLog::Checkpoint WriteAheadLog::checkpoint(bool truncate) noexcept {
  if (handle_.config().in_memory()) return {};
  const Interrupter::Shield shield(*handle_.config().context.interrupter);
  const Callbacks::Impatience impatience(handle_.callbacks());
  Checkpoint result = run(SQLITE_CHECKPOINT_PASSIVE);
  // Only a pin that comes when all has been moved is not itself in the way.
  if (truncate && result.failure.empty() && result.moved == result.frames) result = run(SQLITE_CHECKPOINT_TRUNCATE);
  return result;
}

WriteAheadLog::Checkpoint WriteAheadLog::run(int mode) noexcept {
  const Clock& clock = handle_.config().context.interrupter->clock();
  const auto began = clock.now();
  const Pinned pinned(*this);
  Checkpoint result{.frames = -1, .failure = pinned.failure()};
  int code = SQLITE_BUSY;
  if (pinned.set()) {
    handle_.forget_late_interrupt();
    code = sqlite3_wal_checkpoint_v2(handle_.get(), "main", mode, &result.frames, &result.moved);
    // Interrupted: this is part of a commit that a stop came too late for. The next one moves more.
    result.sync_failed = code == SQLITE_IOERR_FSYNC;
    if (code != SQLITE_OK && code != SQLITE_BUSY && code != SQLITE_INTERRUPT)
      result.failure = sqlite3_errmsg(handle_.get()) + system_reason(handle_.get(), code);
  }
  const SessionContext& context = handle_.config().context;
  if (!result.failure.empty()) context.logger->warn("database '{}': checkpoint: {}", context.database, result.failure);
  // SQLite tells nothing, as -1, when somebody else was at it.
  result.told = result.frames >= 0;
  tell(mode, outcome_of(result, code != SQLITE_OK), clock.now() - began);
  if (!result.told) {
    result.frames = frames_;
    result.moved = 0;
  }
  frames_ = result.frames;
  return result;
}

sqlite3_file* WriteAheadLog::file(sqlite3_int64& size) const noexcept {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&file));
  const bool told = file != nullptr && file->pMethods != nullptr && file->pMethods->xFileSize(file, &size) == SQLITE_OK;
  return told ? file : nullptr;
}

bool WriteAheadLog::empty() const noexcept {
  sqlite3_int64 size = 0;
  return file(size) != nullptr && size == 0;
}

void WriteAheadLog::reach(std::int64_t bytes) noexcept {
  sqlite3_int64 size = 0;
  sqlite3_file* const log = file(size);
  if (log == nullptr) return;
  static constexpr std::array<char, 64 << 10> zeros{};  // SQLite's unix files take less than 128 KiB at once
  for (sqlite3_int64 more = 0; size < bytes; size += more) {
    more = std::min<sqlite3_int64>(bytes - size, zeros.size());
    if (log->pMethods->xWrite(log, zeros.data(), static_cast<int>(more), size) != SQLITE_OK) return;
  }
}

void WriteAheadLog::tell(int mode, checkpoint_outcome outcome, Clock::duration took) const noexcept {
  const SessionConfig& config = handle_.config();
  if (config.checkpoints == nullptr) return;
  const auto by_writer = mode == SQLITE_CHECKPOINT_TRUNCATE ? checkpoint_way::truncate : checkpoint_way::passive;
  config.checkpoints->add(config.writes() ? by_writer : checkpoint_way::beside, outcome, took);
}

std::string WriteAheadLog::sync_database() noexcept {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  const int code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  return code == SQLITE_OK ? std::string() : sqlite3_errstr(code) + system_reason(handle_.get(), code);
}

}  // namespace statehouse::detail
