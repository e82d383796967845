#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "cluster/wire.hpp"

namespace statehouse::detail::wire {

/// A value for a parameter, in memory of somebody else's.
using Parameter = std::variant<std::monostate, std::int64_t, double, std::string_view, std::span<const std::byte>>;

/// The most in one statement: the count has one byte. Newer servers have another layout for more, which 1.11 silently
/// takes for this one.
inline constexpr std::size_t max_parameters = 255;

/// The hand-shake of a client.
std::string hello();

// Requests, header included. Throws Error: SQLITE_TOOBIG for what is longer than `max_body`, and
// `errc::value_out_of_range` for a text with a NUL byte, where the server would silently end it.

std::string leader_request();
std::string client_request(std::uint64_t id);
std::string open_request(std::string_view database);
std::string prepare_request(std::string_view sql);
std::string exec_request(std::uint32_t statement, std::span<const Parameter> parameters);
std::string query_request(std::uint32_t statement, std::span<const Parameter> parameters);
/// The id must be of a statement that is prepared, and must never be used again: a node that is asked to run a
/// finalized statement dies.
std::string finalize_request(std::uint32_t statement);
std::string exec_sql_request(std::string_view sql);
std::string query_sql_request(std::string_view sql);
std::string add_request(std::uint64_t id, std::string_view address);
std::string assign_request(std::uint64_t id, role role);
std::string remove_request(std::uint64_t id);
/// For the files of a database, see FilesReader.
std::string dump_request(std::string_view database);
/// Whose answer has the roles.
std::string cluster_request();
/// To the node that leads: `id` is to lead.
std::string transfer_request(std::uint64_t id);
std::string describe_request();

}  // namespace statehouse::detail::wire
