#include <signal.h>

#include <filesystem>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "statehouse/backup.hpp"

namespace statehouse::cli {
namespace {

/// While it lives, the first SIGINT or SIGTERM is only noted, so that the partial file can be removed; the second ends
/// the program.
class StopSignals {
 public:
  static volatile sig_atomic_t requested;

  StopSignals() {
    struct sigaction action {};
    action.sa_handler = [](int) { requested = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, &interrupt_);
    ::sigaction(SIGTERM, &action, &terminate_);
  }
  ~StopSignals() {
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGTERM, &terminate_, nullptr);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  struct sigaction interrupt_ {};
  struct sigaction terminate_ {};
};
volatile sig_atomic_t StopSignals::requested = 0;

}  // namespace

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
    if (StopSignals::requested) throw Finding("interrupted", "the backup was interrupted, there is none");
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
