#include "sqlite/write_ahead_log.hpp"

#include <spdlog/logger.h>

#include <string>
#include <utility>

#include "sqlite/system_reason.hpp"

namespace statehouse::detail {

void WriteAheadLog::watch() noexcept {
  watched_ = true;
  sqlite3_wal_hook(
      handle_.get(),
      [](void* self, sqlite3*, const char* schema, int frames) {
        if (std::string_view(schema) == "main") static_cast<WriteAheadLog*>(self)->frames_ = frames;
        return SQLITE_OK;
      },
      this);
}

int WriteAheadLog::page_size() {
  return std::stoi(handle_.pragma("PRAGMA page_size"));
}

WriteAheadLog::Checkpoint WriteAheadLog::checkpoint(bool truncate) noexcept {
  if (handle_.config().in_memory()) return {};
  const SessionContext& context = handle_.config().context;
  const Interrupter::Shield shield(*context.interrupter);
  const Callbacks::Impatience impatience(handle_.callbacks());
  Checkpoint result;
  const int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(handle_.get(), "main", mode, &result.frames, &result.moved);
  if (code != SQLITE_OK && code != SQLITE_BUSY) {
    result.failure = sqlite3_errmsg(handle_.get()) + system_reason(handle_.get(), code);
    context.logger->warn("database '{}': checkpoint: {}", context.database, result.failure);
  }
  // SQLite tells nothing, as -1, when somebody else was at it.
  if (result.frames < 0) return {.frames = frames_, .failure = std::move(result.failure)};
  frames_ = result.frames;
  return result;
}

}  // namespace statehouse::detail
