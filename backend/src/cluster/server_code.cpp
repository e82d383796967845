#include "cluster/server_code.hpp"

#include <sqlite3.h>

namespace statehouse::detail {
namespace {

// The nodes' own extensions of SQLITE_IOERR, and what they were before SQLite took these numbers for itself.
constexpr std::uint64_t not_leader = SQLITE_IOERR | (40 << 8);
constexpr std::uint64_t old_not_leader = SQLITE_IOERR | (32 << 8);
constexpr std::uint64_t leadership_lost = SQLITE_IOERR | (41 << 8);
constexpr std::uint64_t old_leadership_lost = SQLITE_IOERR | (33 << 8);

}  // namespace

server_verdict judge(std::uint64_t code) noexcept {
  switch (code) {
    case not_leader:
    case old_not_leader:
    case SQLITE_NOTFOUND:  // "no database opened": it came to lead again, and has forgotten us
      return server_verdict::not_executed;
    case leadership_lost:
    case old_leadership_lost:
    case SQLITE_ABORT:      // it shuts down
    case SQLITE_INTERRUPT:  // it stops to lead (1.18)
      return server_verdict::unknown;
    case SQLITE_IOERR:
    case SQLITE_IOERR_WRITE: return server_verdict::storage;
    default: break;
  }
  const bool busy = (code & 0xff) == SQLITE_BUSY && code != SQLITE_BUSY_SNAPSHOT;
  return busy ? server_verdict::busy : server_verdict::statement;
}

}  // namespace statehouse::detail
