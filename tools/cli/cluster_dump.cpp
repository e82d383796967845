#include <chrono>
#include <filesystem>

#include "arguments.hpp"
#include "cluster.hpp"
#include "cluster_copy.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "statehouse/backup.hpp"
#include "stop_signals.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* no_dump = "the dump was interrupted, there is none";

}  // namespace

void cluster_dump(const Arguments& arguments, Output& output) {
  const ClusterOptions options = database_of_cluster(arguments);
  const fs::path target = resolved(arguments.target_file);
  output.document()["database"] = options.database;
  output.document()["dump"] = target.string();
  if (is_there(target) && fs::is_regular_file(fs::symlink_status(target)) && !arguments.overwrite)
    throw Finding("file_exists", "'" + target.string() + "' exists already: give another name, or --overwrite");
  const auto start = std::chrono::steady_clock::now();
  const StopSignals signals;
  Progress watch("copying", "pages");
  const BackupReport report = signals.guard(no_dump, [&] {
    const ClusterCopy copy(options, target.parent_path(), "check owner, mode and room there");
    copy.fetch(signals.token());
    // From that, a backup makes one file: checked, synced, and there under its name when it is complete.
    Connection connection(copy.file());
    BackupOptions backup_options;
    backup_options.overwrite = arguments.overwrite;
    backup_options.on_progress = [&](std::int64_t pages, std::int64_t total) {
      signals.throw_if_requested(no_dump);
      watch.update(pages, total);
    };
    return backup(connection, target, backup_options);
  });
  const auto elapsed = std::chrono::steady_clock::now() - start;
  output.document()["bytes"] = report.bytes;
  output.document()["elapsed_ns"] = elapsed.count();
  output.line("copied " + options.database + " of the cluster to " + target.string() + " (" +
                  size_text(static_cast<std::uintmax_t>(report.bytes)) + ", " + to_text(elapsed) + ", checked)",
              style::good);
}

}  // namespace statehouse::cli
