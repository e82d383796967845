#include "cluster/server_code.hpp"

#include <sqlite3.h>

#include <string_view>

namespace statehouse::detail {
namespace {

// The nodes' own extensions of SQLITE_IOERR, and what they were before SQLite took these numbers for itself.
constexpr std::uint64_t not_leader = SQLITE_IOERR | (40 << 8);
constexpr std::uint64_t old_not_leader = SQLITE_IOERR | (32 << 8);
constexpr std::uint64_t leadership_lost = SQLITE_IOERR | (41 << 8);
constexpr std::uint64_t old_leadership_lost = SQLITE_IOERR | (33 << 8);

// A node that hands over or has been deposed refuses to begin with a number of its Raft library's, which is another
// error of SQLite's: seen of 1.11 as "no more rows available", or whatever its connection has said last.
constexpr std::uint64_t raft_not_leader = SQLITE_NOMEM;

bool is_of_raft(const Refusal& refusal) noexcept {
  const std::string_view text = refusal.what();
  return text == "barrier error" || (refusal.code() == raft_not_leader && text != sqlite3_errstr(SQLITE_NOMEM));
}

}  // namespace

server_verdict judge(const Refusal& refusal) noexcept {
  if (is_of_raft(refusal)) return server_verdict::not_executed;
  const std::uint64_t code = refusal.code();
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
