#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/engine.hpp"
#include "file/file.hpp"
#include "file/sidecars.hpp"
#include "sqlite/local_engine.hpp"

namespace statehouse::detail {

/// SQLite on a file of this machine that somebody else writes, or nobody: all its connections are readers, and what a
/// writer would see to is somebody else's. Whoever writes may as well be of this process.
class ReadOnlyEngine final : public Engine {
 public:
  /// Looks through the file as the options say. Blocks; throws Error where there is none, and when `interrupter` stops
  /// it.
  ReadOnlyEngine(LocalEngineConfig config, const std::shared_ptr<Interrupter>& interrupter);

  std::unique_ptr<Session> open(connection_role role, std::shared_ptr<Interrupter> interrupter) override;
  std::optional<Loss> loss() const override;
  EngineFacts facts() const override;

 private:
  bool immutable() const noexcept { return config_.writer() == written_by::nobody; }
  void require_no_leftovers() const;

  const LocalEngineConfig config_;
  const FileIdentity identity_;
  const FileClaim claim_;
  const std::shared_ptr<Sidecars> sidecars_;  // null where nobody writes: they are not looked at
};

}  // namespace statehouse::detail
