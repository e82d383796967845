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
void db_backup(const Arguments& arguments, Output& output) {
  const auto file = database_file(arguments);
  const std::filesystem::path target = resolved(arguments.target_file);
  output.document()["database"] = file.string();
  output.document()["backup"] = target.string();
  const bool replaceable =
      is_there(target) && std::filesystem::is_regular_file(std::filesystem::symlink_status(target));
  if (replaceable && !arguments.overwrite)
    throw Finding("file_exists", "'" + target.string() + "' exists already: give another name, or --overwrite");
  auto connection = open_to_read(arguments, file);
  Progress watch("copying", "pages");
  BackupOptions options;
  options.overwrite = arguments.overwrite;
  const StopSignals signals;
  options.on_progress = [&](std::int64_t pages, std::int64_t total) {
    signals.throw_if_requested("the backup was interrupted, there is none");
    watch.update(pages, total);
  };
  const BackupReport report = backup(connection, target, options);
  output.document()["bytes"] = report.bytes;
  output.document()["elapsed_ns"] = report.elapsed.count();
  output.line("copied " + file.string() + " to " + target.string() + " (" +
                  size_text(static_cast<std::uintmax_t>(report.bytes)) + ", " + to_text(report.elapsed) + ", checked)",
              style::good);
}

}  // namespace statehouse::cli
