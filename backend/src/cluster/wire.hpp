#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

/// The nodes' protocol, version 1: little endian, in words of eight bytes, each sequence of fields padded with zeros to
/// a word. https://dqlite.io/docs/protocol, and what the server's source adds to it.
namespace statehouse::detail::wire {

inline constexpr std::size_t word = 8;
constexpr std::size_t padded(std::size_t size) noexcept {
  return (size + word - 1) / word * word;
}
/// What a client sends first; there is no answer.
inline constexpr std::uint64_t protocol_version = 1;
/// Of a message's body, in both directions. SQLite's own limit of a value is a little less.
inline constexpr std::size_t max_body = std::size_t{1} << 30;
/// SQLite's own.
inline constexpr std::uint64_t max_columns = 32767;

enum class request : std::uint8_t {
  leader = 0,
  client = 1,
  open = 3,
  prepare = 4,
  exec = 5,
  query = 6,
  finalize = 7,
  exec_sql = 8,
  query_sql = 9,
  add = 12,
  assign = 13,
  remove = 14,
  dump = 15,
  cluster = 16,
  transfer = 17,
  describe = 18,
};

enum class response : std::uint8_t {
  failure = 0,
  server = 1,
  welcome = 2,
  servers = 3,
  database = 4,
  statement = 5,
  result = 6,
  rows = 7,
  empty = 8,
  files = 9,
  metadata = 10,
};

/// How a value is written. The last three come in results only, for what the type in the column's declaration says.
enum class value_type : std::uint8_t {
  integer = 1,
  real = 2,
  text = 3,
  blob = 4,
  null = 5,
  unix_time = 9,
  iso8601 = 10,
  boolean = 11,
};

enum class role : std::uint64_t { voter = 0, standby = 1, spare = 2 };

/// What comes before each body.
struct Header {
  static constexpr std::size_t bytes = word;

  std::uint32_t words = 0;  ///< Of the body.
  std::uint8_t type = 0;
  std::uint8_t schema = 0;

  std::size_t body_bytes() const noexcept { return std::size_t{words} * word; }
  bool is(response what) const noexcept { return type == static_cast<std::uint8_t>(what); }
};

// The responses to these requests, by their names in the protocol.

struct Failure {
  std::uint64_t code = 0;  ///< SQLite's extended result code, or one of the server's own; 0 is a failure as well.
  std::string message;
};
struct Server {
  std::uint64_t id = 0;
  std::string address;  ///< Empty when no leader is known.
};
struct Welcome {
  std::uint64_t heartbeat_timeout = 0;  ///< Milliseconds; no server enforces it.
};
struct Member {
  std::uint64_t id = 0;
  std::string address;
  wire::role role = role::voter;
};
struct Servers {
  std::vector<Member> members;
};
struct Database {
  std::uint32_t id = 0;
};
struct Prepared {
  std::uint32_t database = 0;
  std::uint32_t id = 0;
  std::uint64_t parameters = 0;
};
/// Both are those of the connection: of an earlier statement where this one was no INSERT, UPDATE or DELETE.
struct Result {
  std::uint64_t last_insert_rowid = 0;
  std::uint64_t changes = 0;
};
/// One part of a query's answer, see RowReader.
struct Rows {
  std::string body;
};
struct Empty {};
struct Metadata {
  std::uint64_t failure_domain = 0;  ///< Nodes of one can be lost together, as those in one room.
  std::uint64_t weight = 0;          ///< Those of less are preferred as voters.
};

/// All but the files of a database, which are read as they come: see FilesReader.
using Response = std::variant<Failure, Server, Welcome, Servers, Database, Prepared, Result, Rows, Empty, Metadata>;

}  // namespace statehouse::detail::wire
