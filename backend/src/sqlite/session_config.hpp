#pragma once

#include <filesystem>

#include "engine/session.hpp"

namespace statehouse::detail {

/// Everything a local connection is opened with.
struct SessionConfig {
  std::filesystem::path path;  ///< Absolute, or ":memory:".
  SessionContext context;
  bool keep_log = false;  ///< The last one to close leaves the write-ahead log as it is.
  ConnectionOptions options;

  bool in_memory() const { return path == ":memory:"; }
  bool writes() const noexcept { return context.role == connection_role::writer; }
};

}  // namespace statehouse::detail
