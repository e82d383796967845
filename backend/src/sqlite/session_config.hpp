#pragma once

#include <filesystem>
#include <memory>

#include "engine/session.hpp"
#include "file/sidecars.hpp"

namespace statehouse::detail {

/// Everything a local connection is opened with.
struct SessionConfig {
  std::filesystem::path path;  ///< Absolute, or ":memory:".
  SessionContext context;
  bool keep_log = false;  ///< The last one to close leaves the write-ahead log as it is.
  ConnectionOptions options;
  std::shared_ptr<Sidecars> sidecars{};  ///< Told of this connection; may be null.

  bool in_memory() const { return path == ":memory:"; }
  bool writes() const noexcept { return context.role == connection_role::writer; }
};

}  // namespace statehouse::detail
