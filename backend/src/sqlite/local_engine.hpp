#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engine/engine.hpp"
#include "file/file.hpp"
#include "sqlite/session_config.hpp"
#include "sqlite/wal_keeper.hpp"

namespace statehouse::detail {

class CheckpointHistory;
class CommitWatch;

struct LocalEngineConfig {
  std::filesystem::path path;  ///< Absolute and canonical but for the file name; ":memory:" when in memory.
  std::string database;        ///< Logical name.
  PoolOptions options;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<spdlog::logger> logger;
  bool known = false;            ///< Opened again: it has to be there,
  bool unchanged = false;        ///< and is as we have left it.
  CommitWatch* watch = nullptr;  ///< Told of what is committed; may be null.

  bool in_memory() const { return path == ":memory:"; }
  written_by writer() const noexcept {
    if (!options.read_only) return written_by::us;
    return options.immutable ? written_by::nobody : written_by::others;
  }
  bool checkpointed_by_others() const noexcept { return options.checkpoint != checkpoint_mode::own; }
};

/// SQLite on a file of this machine, or in memory.
class LocalEngine final : public Engine {
 public:
  /// Creates the file if it is missing, claims it for this process, and looks through it as the options say. Blocks;
  /// throws Error, also when `interrupter` stops it.
  LocalEngine(LocalEngineConfig config, const std::shared_ptr<Interrupter>& interrupter);

  std::unique_ptr<Session> open(connection_role role, std::shared_ptr<Interrupter> interrupter) override;
  void begin_service(Session& writer) override;
  bool due(const Session& writer) noexcept override;
  bool before_next(Session& writer, ReaderGate* readers) override;
  void work_beside() noexcept override;
  bool note_idle() noexcept override;
  void on_idle(Session& writer) noexcept override;
  void optimize(Session& writer, TimeLimit budget) noexcept override;
  void before_close(Session& writer) noexcept override;
  void before_close_alone() noexcept override;
  std::string release() noexcept override;
  std::optional<Loss> loss() const override;
  EngineFacts facts() const override;
  bool log_unattended_since(Clock::time_point since) const override;

 private:
  void require_file() const;
  std::unique_ptr<LocalSession> connect(connection_role role, std::shared_ptr<Interrupter> interrupter,
                                        const ConnectionOptions& options, bool keep_log) const;
  std::unique_ptr<LocalSession> open_mover() const noexcept;

  const LocalEngineConfig config_;
  std::optional<FileClaim> claim_;       // none in memory
  std::shared_ptr<Sidecars> sidecars_;   // none in memory
  std::optional<WalKeeper> wal_keeper_;  // none in memory
  const std::shared_ptr<CheckpointHistory> checkpoints_;
  bool found_log_ = false;          // and have not cut it yet
  std::string checkpoint_failure_;  // of the last one
};

}  // namespace statehouse::detail
