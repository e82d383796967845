#include <filesystem>
#include <string>
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
    signals.throw_if_requested("the restore was interrupted, the database is as it was");
    watch.update(bytes, total);
  };
  const RestoreReport report = restore(backup, file, options);
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
