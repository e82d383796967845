#pragma once

#include <string>

#pragma GCC visibility push(default)
namespace statehouse {

/// True for the SQLite versions whose write-ahead log can be damaged when one connection checkpoints while another
/// commits: 3.7.0 to 3.51.2, except the repaired branches 3.44.6+ and 3.50.7+ (https://www.sqlite.org/wal.html section
/// 11). `version` is SQLite's number, 3040001 for 3.40.1. A statehouse pool is not exposed by itself (its
/// checkpoints are pinned); other programs that write to the same file are.
constexpr bool has_wal_reset_bug(int version) noexcept {
  if (version < 3007000 || version >= 3051003) return false;
  const int branch = version / 1000;
  if (branch == 3044) return version < 3044006;
  if (branch == 3050) return version < 3050007;
  return true;
}

/// The SQLite library this process runs with (not the header it was compiled with).
struct SqliteVersion {
  int number;             ///< 3040001 for 3.40.1.
  std::string text;       ///< "3.40.1"
  std::string source_id;  ///< Date and hash of its source.
  bool wal_reset_bug;     ///< See has_wal_reset_bug.
};

/// What is loaded now. From any thread.
SqliteVersion sqlite_version();

}  // namespace statehouse
#pragma GCC visibility pop
