#pragma once

#include <filesystem>
#include <memory>

#include "engine/session.hpp"
#include "file/sidecars.hpp"

namespace statehouse::detail {

class CheckpointHistory;
class CommitWatch;
class FileClaim;

/// Who writes the file: this process, others, or nobody as long as it is open.
enum class written_by { us, others, nobody };

/// Everything a local connection is opened with.
struct SessionConfig {
  std::filesystem::path path;  ///< Absolute, or ":memory:".
  SessionContext context;
  bool keep_log = false;  ///< It leaves the write-ahead log to others, also as the last one to close.
  ConnectionOptions options;
  written_by writer = written_by::us;
  std::shared_ptr<FileClaim> claim{};  ///< Kept until it is closed; null where somebody else has one, or need not.
  bool lasting = false;  ///< Of a file of others: stays open, so that they may put another in its place meanwhile.
  std::shared_ptr<Sidecars> sidecars{};              ///< Told of this connection; may be null.
  std::shared_ptr<CheckpointHistory> checkpoints{};  ///< Told of those that it makes; may be null.
  CommitWatch* watch = nullptr;                      ///< Told of what is committed here; may be null.

  bool in_memory() const { return path == ":memory:"; }
  bool writes() const noexcept { return context.role == connection_role::writer; }
};

}  // namespace statehouse::detail
