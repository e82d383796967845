#include "sqlite/startup_check.hpp"

#include <spdlog/logger.h>

#include <string>

#include "engine/connection_access.hpp"
#include "engine/vfs_option.hpp"
#include "sqlite/local_engine.hpp"
#include "sqlite/local_session.hpp"
#include "statehouse/check.hpp"

namespace statehouse::detail {
namespace {

std::string size_text(std::uintmax_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

/// On a connection that only reads and leaves a log as it is: what is damaged stays as it was found. The writer would
/// switch the journal mode, and checkpoint when it is closed.
QuickCheck look_through(const LocalEngineConfig& config, const std::shared_ptr<Interrupter>& interrupter,
                        bool keep_log) {
  try {
    const auto connection =
        connect(std::make_unique<LocalSession>(SessionConfig{.path = config.path,
                                                             .context = {.database = config.database,
                                                                         .role = connection_role::reader,
                                                                         .interrupter = interrupter,
                                                                         .logger = config.logger},
                                                             .keep_log = keep_log,
                                                             .options = config.options.connection,
                                                             .writer = config.writer()}),
                config.options.connection);
    return quick_check(*connection, config.options.startup_check_timeout);
  } catch (const Error& error) {
    const bool another_key = encrypts(config.options.connection) && error.code() == make_sqlite_error(SQLITE_NOTADB);
    if (another_key || !is_damage(error.code())) throw;
    return {.findings = {error.what()}};  // not even the opening
  }
}

[[noreturn]] void fail(const LocalEngineConfig& config, const QuickCheck& check) {
  std::string list;
  for (const auto& finding : check.findings) list += (list.empty() ? "" : "; ") + finding;
  throw Error(errc::file_damaged,
              "the file '" + config.path.string() + "' is damaged and is left as it is: " + list +
                  ". Keep a copy of it and of its -wal, look at it with 'statehouse db check', and restore a backup",
              {config.database, {}});
}

}  // namespace

void check_at_startup(const LocalEngineConfig& config, const std::shared_ptr<Interrupter>& interrupter) {
  const PoolOptions& options = config.options;
  if (options.startup_check == integrity_check::never) return;
  // The log of a file that others write may be of one who has it open.
  const bool unclean = config.writer() == written_by::others ? file_size_or_zero(config.path.string() + "-journal") > 0
                                                             : has_leftovers(config.path);
  if (options.startup_check == integrity_check::after_unclean_shutdown && !unclean) return;
  const auto log_bytes = file_size_or_zero(config.path.string() + "-wal");
  const auto bytes = file_size_or_zero(config.path) + log_bytes;
  if (bytes == 0) return;  // just created
  if (options.startup_check_max_bytes != 0 && bytes > options.startup_check_max_bytes) {
    config.logger->warn(
        "database '{}': not checked at startup: its {} are more than startup_check_max_bytes; run 'statehouse db "
        "check'",
        config.database, size_text(bytes));
    return;
  }
  const auto began = config.clock->now();
  const QuickCheck check = look_through(config, interrupter, log_bytes > 0 || config.checkpointed_by_others());
  if (!check.findings.empty()) fail(config, check);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(config.clock->now() - began).count();
  if (check.finished) {
    config.logger->info("database '{}': checked {}{} in {} ms, no damage found", config.database, size_text(bytes),
                        unclean ? " after an unclean shutdown" : "", took);
  } else {
    config.logger->warn(
        "database '{}': the check at startup was given up after {} ms, having found nothing; run 'statehouse db check'",
        config.database, took);
  }
}

}  // namespace statehouse::detail
