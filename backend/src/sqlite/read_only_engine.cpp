#include "sqlite/read_only_engine.hpp"

#include <utility>

#include "sqlite/local_session.hpp"
#include "sqlite/startup_check.hpp"
#include "statehouse/check.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::detail {

ReadOnlyEngine::ReadOnlyEngine(LocalEngineConfig config, const std::shared_ptr<Interrupter>& interrupter)
    : config_(std::move(config)),
      identity_(find_file(config_.path, !immutable())),
      claim_(config_.path, identity_, immutable() ? file_use::reads_unchanging : file_use::reads),
      sidecars_(immutable() ? nullptr : std::make_shared<Sidecars>(config_.path, true)) {
  if (immutable()) require_no_leftovers();
  if (!config_.unchanged) check_at_startup(config_, interrupter);
}

/// SQLite would not look at them: what is in a log would be missing, what a journal takes back would be there.
void ReadOnlyEngine::require_no_leftovers() const {
  if (!has_leftovers(config_.path)) return;
  throw Error(errc::invalid_option,
              "the file '" + config_.path.string() +
                  "' has a -wal or -journal, so it is not complete, or somebody writes it: it cannot be opened as "
                  "immutable. Have it closed by who wrote it, or leave immutable out",
              {config_.database, {}});
}

std::unique_ptr<Session> ReadOnlyEngine::open(connection_role role, std::shared_ptr<Interrupter> interrupter) {
  if (const auto lost = loss()) throw Error(lost->code, lost->text, {config_.database, {}});
  auto session = std::make_unique<LocalSession>(SessionConfig{.path = config_.path,
                                                              .context = {.database = config_.database,
                                                                          .role = role,
                                                                          .interrupter = std::move(interrupter),
                                                                          .logger = config_.logger},
                                                              .options = config_.options.connection,
                                                              .writer = config_.writer(),
                                                              .lasting = true,
                                                              .sidecars = sidecars_,
                                                              .watch = config_.watch});
  if (sidecars_ != nullptr) sidecars_->note();
  if (auto* const notes = session->handle().commit_notes()) notes->begin_looking();
  return session;
}

std::optional<Loss> ReadOnlyEngine::loss() const {
  const std::string file = config_.path.filename().string();
  if (identify(config_.path) != identity_)
    return Loss{
        errc::file_replaced,
        "the file '" + file + "' was moved, deleted or replaced while open; what was read since is of the old one"};
  const auto sidecar = sidecars_ != nullptr ? sidecars_->lost() : std::nullopt;
  if (!sidecar) return std::nullopt;
  return Loss{errc::file_replaced, "'" + *sidecar +
                                       "', a part of the database, was moved, deleted or replaced while open; what was "
                                       "written since may not have been read"};
}

EngineFacts ReadOnlyEngine::facts() const {
  return {.file_bytes = file_size_or_zero(config_.path),
          .wal_bytes = file_size_or_zero(config_.path.string() + "-wal"),
          .vulnerable_sqlite = sqlite_version().wal_reset_bug};
}

}  // namespace statehouse::detail
