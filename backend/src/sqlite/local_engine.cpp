#include "sqlite/local_engine.hpp"

#include <spdlog/logger.h>

#include <utility>

#include "base/error_text.hpp"
#include "sqlite/checkpoint_history.hpp"
#include "sqlite/local_session.hpp"
#include "sqlite/open_file.hpp"
#include "sqlite/startup_check.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::detail {
namespace {

/// Pages in the log with which a commit moves them, as long as nobody else sees to it: SQLite's own default.
constexpr int commits_of_migrations = 1000;

/// The engine is given no sessions but its own.
LocalSession& own(Session& session) noexcept {
  return static_cast<LocalSession&>(session);
}

}  // namespace

LocalEngine::LocalEngine(LocalEngineConfig config, const std::shared_ptr<Interrupter>& interrupter)
    : config_(std::move(config)), checkpoints_(std::make_shared<CheckpointHistory>()) {
  if (config_.in_memory()) return;
  if (config_.known) require_file();
  require_vfs(config_.options.connection, config_.database);  // before there is an empty file
  const PreparedFile file = prepare_file(config_.path, config_.options.connection.tighten_permissions, *config_.logger);
  claim_.emplace(config_.path, file.identity,
                 config_.options.connection.exclusive ? file_use::writes_alone : file_use::writes);
  found_log_ = file.has_log;
  sidecars_ = std::make_shared<Sidecars>(config_.path, !config_.options.connection.exclusive);
  if (!config_.unchanged) check_at_startup(config_, interrupter);
  wal_keeper_.emplace(config_, [this] { return open_mover(); });
}

/// Else it would be made anew, and be empty.
void LocalEngine::require_file() const {
  if (identify(config_.path)) return;
  throw Error(errc::file_replaced,
              "the file '" + config_.path.filename().string() +
                  "' was moved or deleted while it was closed, as nobody used it: put it back",
              {config_.database, {}});
}

std::unique_ptr<LocalSession> LocalEngine::connect(connection_role role, std::shared_ptr<Interrupter> interrupter,
                                                   const ConnectionOptions& options, bool keep_log) const {
  // SQLite would take whatever is there for the log, together with the index that the others of this process have.
  if (const auto lost = loss()) throw Error(lost->code, lost->text, {config_.database, {}});
  return std::make_unique<LocalSession>(SessionConfig{
      .path = config_.path,
      .context =
          {.database = config_.database, .role = role, .interrupter = std::move(interrupter), .logger = config_.logger},
      .keep_log = keep_log || config_.checkpointed_by_others(),
      .options = options,
      .sidecars = sidecars_,
      .checkpoints = checkpoints_,
      .watch = role == connection_role::writer ? config_.watch : nullptr});
}

/// It writes nothing but what is in the log, so it may as well be one that can not. Nothing stops it and it waits for
/// nobody.
std::unique_ptr<LocalSession> LocalEngine::open_mover() const noexcept {
  try {
    ConnectionOptions options = config_.options.connection;
    options.busy_timeout = {};
    auto session = connect(connection_role::reader, std::make_shared<Interrupter>(config_.clock), options, true);
    if (!loss()) return session;  // so it is the file that the writer has
  } catch (...) {                 // on_open may throw anything
    config_.logger->warn("database '{}': no connection to checkpoint beside the writer: {}", config_.database,
                         text_of(std::current_exception()));
  }
  return nullptr;
}

std::unique_ptr<Session> LocalEngine::open(connection_role role, std::shared_ptr<Interrupter> interrupter) {
  auto session = connect(role, std::move(interrupter), config_.options.connection, false);
  if (role == connection_role::writer && !config_.in_memory()) {
    session->log().watch();
    session->log().checkpoint_from(config_.checkpointed_by_others() ? WriteAheadLog::never : commits_of_migrations);
  }
  if (role == connection_role::reader && sidecars_ != nullptr) sidecars_->note();
  if (role == connection_role::writer && config_.options.connection.exclusive && !config_.in_memory()) {
    // Left by a killed process that did not have the file for itself; with the file locked it is nobody's.
    std::error_code ignored;
    std::filesystem::remove(config_.path.string() + "-shm", ignored);
  }
  return session;
}

void LocalEngine::begin_service(Session& writer) {
  own(writer).forget_migrations();
  if (auto* const notes = own(writer).handle().commit_notes()) notes->begin_looking();
  if (!wal_keeper_) return;
  sidecars_->note();
  wal_keeper_->attach(own(writer));
  // What a killed process has left, or migrations have written of which SQLite has moved pages already: from here on it
  // is known which of them are synced. Few commits are left to the first quiet moment.
  const bool moved = own(writer).log().frames() >= commits_of_migrations;
  if (std::exchange(found_log_, false) || moved) wal_keeper_->truncate(own(writer));
}

bool LocalEngine::due(const Session& writer) noexcept {
  return wal_keeper_ && wal_keeper_->due(static_cast<const LocalSession&>(writer).log());
}

bool LocalEngine::before_next(Session& writer, ReaderGate* readers) {
  return wal_keeper_ && wal_keeper_->keep(own(writer), readers);
}

void LocalEngine::work_beside() noexcept {
  if (wal_keeper_) wal_keeper_->turn();
}

bool LocalEngine::note_idle() noexcept {
  return wal_keeper_ && wal_keeper_->note_idle();
}

void LocalEngine::on_idle(Session& writer) noexcept {
  if (wal_keeper_) wal_keeper_->truncate(own(writer));
}

void LocalEngine::optimize(Session& writer, TimeLimit budget) noexcept {
  own(writer).optimize(budget);
}

void LocalEngine::before_close(Session& writer) noexcept {
  // Without its log the database may be in use by others, unseen by us. Then SQLite's own last close moves what we have
  // committed into the file, if it can lock all of it, and else leaves it.
  if (wal_keeper_) wal_keeper_->close();
  const auto lost = loss();
  if (!lost) own(writer).prepare_close();
  if (!wal_keeper_) return;
  if (!lost || lost->code == errc::sync_failed) checkpoint_failure_ = wal_keeper_->finish(own(writer));
  if (wal_keeper_->loss() != nullptr) own(writer).keep_log();
}

void LocalEngine::before_close_alone() noexcept {
  if (wal_keeper_) wal_keeper_->close();
}

std::string LocalEngine::release() noexcept {
  if (wal_keeper_) wal_keeper_->close();
  claim_.reset();
  // SQLite has tried once more when it closed the last connection.
  const std::string log = config_.path.string() + "-wal";
  if (checkpoint_failure_.empty() || file_size_or_zero(log) == 0) return {};
  return "the last checkpoint failed: " + checkpoint_failure_ + "; what is committed is safe in '" + log +
         "', which belongs to the database: keep both, the next opening puts them together";
}

std::optional<Loss> LocalEngine::loss() const {
  if (!claim_) return std::nullopt;
  const std::string file = config_.path.filename().string();
  if (!claim_->still_there())
    return Loss{errc::file_replaced, "the file '" + file +
                                         "' was moved, deleted or replaced while open; what was written since is lost "
                                         "to it"};
  if (const auto sidecar = sidecars_->lost())
    return Loss{errc::file_replaced, "'" + *sidecar +
                                         "', a part of the database, was moved, deleted or replaced while open; what "
                                         "was written since may be lost"};
  const auto* const why = wal_keeper_ ? wal_keeper_->loss() : nullptr;
  if (why == nullptr) return std::nullopt;
  return Loss{errc::sync_failed, "the disk has perhaps not taken all of '" + file + "' (" + *why +
                                     "); what is committed is in '" + file +
                                     "-wal', as far as the disk has taken that, and the first to open the database "
                                     "puts it there: end all that have it open"};
}

bool LocalEngine::log_unattended_since(Clock::time_point since) const {
  return wal_keeper_ && wal_keeper_->unattended_since(since);
}

EngineFacts LocalEngine::facts() const {
  EngineFacts facts{.vulnerable_sqlite = sqlite_version().wal_reset_bug};
  if (config_.in_memory()) return facts;
  facts.file_bytes = file_size_or_zero(config_.path);
  facts.checkpoints = checkpoints_->stats();
  facts.wal_bytes = file_size_or_zero(config_.path.string() + "-wal");
  return facts;
}

}  // namespace statehouse::detail
