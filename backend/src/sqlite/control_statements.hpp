#pragma once

#include <array>

#include "sqlite/handle.hpp"

namespace statehouse::detail {

/// BEGIN, COMMIT and their like. Prepared once and kept, but not in the cache, where a user's `COMMIT` would find them
/// past the authorizer.
class ControlStatements {
 public:
  enum class control : unsigned char {
    begin,
    begin_immediate,
    commit,
    rollback,
    savepoint,
    release_savepoint,
    rollback_to_savepoint
  };

  explicit ControlStatements(Handle& handle) noexcept : handle_(handle) {}
  ~ControlStatements();
  ControlStatements(const ControlStatements&) = delete;
  ControlStatements& operator=(const ControlStatements&) = delete;

  /// Needs the permission to do so.
  void run(control which);

 private:
  Handle& handle_;
  std::array<sqlite3_stmt*, 7> statements_{};  // by `control`, made when first needed
};

}  // namespace statehouse::detail
