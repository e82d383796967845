#include "statehouse/backup.hpp"

#include "file/backup_series.hpp"
#include "file/file.hpp"
#include "sqlite/backup_run.hpp"

namespace statehouse {

BackupReport backup(Reader& source, const std::filesystem::path& target, const BackupOptions& options) {
  const Clock& clock = detail::local_session_of(source).interrupter().clock();
  const auto start = clock.now();
  detail::BackupRun run(source, target, options.overwrite);
  for (bool more = true; more;) {
    more = run.step();
    if (options.on_progress) options.on_progress(run.done(), run.total());
  }
  const auto bytes = run.finish();
  return {bytes, clock.now() - start};
}

KeptBackup backup_into(Reader& source, const std::filesystem::path& directory, std::size_t keep,
                       const BackupOptions& options) {
  const auto& database = detail::local_session_of(source).handle().config().path;
  const detail::BackupSeries series(database, detail::prepare_directory(directory, "directory of the backups"));
  series.remove_half_made();  // they take the room
  KeptBackup kept;
  kept.file = series.next();
  kept.report = backup(source, kept.file, {.on_progress = options.on_progress});
  kept.removed = series.trim(keep);
  return kept;
}

std::vector<std::filesystem::path> backups_of(const std::filesystem::path& database,
                                              const std::filesystem::path& directory) {
  return detail::BackupSeries(detail::resolve_file(database), directory).list();
}

}  // namespace statehouse
