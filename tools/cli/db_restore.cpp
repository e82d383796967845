#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "statehouse/backup.hpp"
#include "stop_signals.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* no_restore = "the restore was interrupted, the database is as it was";

/// The backup that is meant.
fs::path backup_file(const fs::path& from, const fs::path& database) {
  require_there(from, "backup");
  if (!fs::is_directory(from)) return from;
  const std::vector<fs::path> all = backups_of(database, from);
  if (all.empty())
    throw Finding("not_found", "there is no backup of " + database.string() + " in the directory '" + from.string() +
                                   "'. One that was made elsewhere, or under a name of its own, is given by that name");
  return all.back();
}

/// Waits for another process to close the database as long as others wait for its locks.
RestoreReport restore_when_free(const fs::path& backup, const fs::path& database, const RestoreOptions& options,
                                const Arguments& arguments, const StopSignals& signals) {
  const auto give_up = std::chrono::steady_clock::now() + arguments.busy_timeout;
  for (;;) {
    try {
      return restore(backup, database, options);
    } catch (const Error& error) {
      std::error_code ignored;
      if (error.code() != errc::file_in_use || fs::equivalent(backup, database, ignored)) throw;
      if (std::chrono::steady_clock::now() >= give_up) throw;
    }
    signals.throw_if_requested(no_restore);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

void db_restore(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  output.document()["database"] = file.string();
  const fs::path backup = backup_file(resolved(arguments.source_file), file);
  output.document()["backup"] = backup.string();
  make_directories(file.parent_path());
  Progress watch("restoring", "bytes");
  const StopSignals signals;
  RestoreOptions options;
  options.on_progress = [&](std::int64_t bytes, std::int64_t total) {
    signals.throw_if_requested(no_restore);
    watch.update(bytes, total);
  };
  const RestoreReport report = restore_when_free(backup, file, options, arguments, signals);
  output.document()["bytes"] = report.bytes;
  output.document()["elapsed_ns"] = report.elapsed.count();
  if (report.kept.empty()) {
    output.document()["kept"] = nullptr;
  } else {
    output.document()["kept"] = report.kept.string();
  }
  output.line("restored " + file.string() + " from " + backup.string() + " (" +
                  size_text(static_cast<std::uintmax_t>(report.bytes)) + ", " + to_text(report.elapsed) + ", checked)",
              style::good);
  if (!report.kept.empty()) output.line("what was there is kept as " + report.kept.string());
}

}  // namespace statehouse::cli
