#pragma once

#include <boost/system/error_code.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "statehouse/time_limit.hpp"

/// Whether a database file is whole.
#pragma GCC visibility push(default)
namespace statehouse {

class Reader;

/// What `quick_check` has found.
struct QuickCheck {
  std::vector<std::string> findings;  ///< The first ones, in SQLite's words; empty when all is well.
  bool finished = true;               ///< False when the limit has ended it before it had seen everything.
};

/// Looks through the whole file with `PRAGMA quick_check`, for at most `limit`; zero is no limit. What that finds
/// counts if `PRAGMA integrity_check` finds something too, because the quick one errs about some tables WITHOUT ROWID.
/// A file that SQLite cannot look through is a finding. Whether indexes agree with their tables, and rows with their
/// CHECK constraints, is not looked at.
///
/// Costs about a second for 200 MB that the system has cached, more from a disk. Blocks the calling thread: in a pool,
/// `co_await pool.read(f)` with an `f` that calls this. The connection is as it was before, but that its statements are
/// compiled anew when they are next used. Throws Error when the operation it belongs to is stopped, or SQLite refuses
/// for any other reason than damage.
QuickCheck quick_check(Reader& connection, TimeLimit limit = {});

/// Whether `file` has a -wal or -journal with content beside it: whoever opens it next has something to recover, or
/// somebody has written and still has it open. See `integrity_check::after_unclean_shutdown`.
bool has_leftovers(const std::filesystem::path& file) noexcept;

/// SQLite's codes for a file that cannot be read as a database: SQLITE_CORRUPT and SQLITE_NOTADB in all variants.
bool is_damage(const boost::system::error_code& code) noexcept;

}  // namespace statehouse
#pragma GCC visibility pop
