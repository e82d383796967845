#include <filesystem>
#include <string>

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

KeptBackup copy(const Arguments& arguments, Connection& connection, const fs::path& target,
                const BackupOptions& options) {
  if (arguments.keep) return backup_into(connection, target, static_cast<std::size_t>(*arguments.keep), options);
  return {target, backup(connection, target, options), {}};
}

void check_replaceable(const Arguments& arguments, const fs::path& target) {
  if (arguments.keep || arguments.overwrite) return;
  if (is_there(target) && fs::is_regular_file(fs::symlink_status(target)))
    throw Finding("file_exists", "'" + target.string() + "' exists already: give another name, or --overwrite");
}

}  // namespace

void db_backup(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  const fs::path target = resolved(arguments.target_file);
  output.document()["database"] = file.string();
  output.document()["backup"] = target.string();
  check_replaceable(arguments, target);
  auto connection = open_to_read(arguments, file);
  Progress watch("copying", "pages");
  BackupOptions options;
  options.overwrite = arguments.overwrite;
  const StopSignals signals;
  options.on_progress = [&](std::int64_t pages, std::int64_t total) {
    signals.throw_if_requested("the backup was interrupted, there is none");
    watch.update(pages, total);
  };
  const KeptBackup made = copy(arguments, connection, target, options);
  output.document()["backup"] = made.file.string();
  output.document()["bytes"] = made.report.bytes;
  output.document()["elapsed_ns"] = made.report.elapsed.count();
  output.line("copied " + file.string() + " to " + made.file.string() + " (" +
                  size_text(static_cast<std::uintmax_t>(made.report.bytes)) + ", " + to_text(made.report.elapsed) +
                  ", checked)",
              style::good);
  if (!arguments.keep) return;
  auto& removed = output.document()["removed"].emplace_array();
  for (const fs::path& old : made.removed) {
    removed.emplace_back(old.string());
    output.line("removed " + old.string());
  }
}

}  // namespace statehouse::cli
