#include "cluster/encoder.hpp"

#include <sqlite3.h>

#include <bit>

#include "statehouse/error.hpp"

namespace statehouse::detail::wire {
namespace {

/// Writes one request: the fields in their order, then `finish`.
class Encoder {
 public:
  explicit Encoder(request type) : bytes_(Header::bytes, '\0') { bytes_[4] = static_cast<char>(type); }

  Encoder& uint64(std::uint64_t value) { return little_endian(value, sizeof value); }
  Encoder& uint32(std::uint32_t value) { return little_endian(value, sizeof value); }

  Encoder& text(std::string_view value) {
    if (value.find('\0') != std::string_view::npos)
      throw Error(errc::value_out_of_range,
                  "a text with a NUL byte cannot be sent to a cluster, where it would end at that byte: bind it as a "
                  "blob");
    reserve(value.size());
    bytes_.append(value).push_back('\0');
    return pad();
  }

  Encoder& blob(std::span<const std::byte> value) {
    reserve(value.size());
    uint64(value.size());
    bytes_.append(reinterpret_cast<const char*>(value.data()), value.size());
    return pad();
  }

  /// Absent when there are none.
  Encoder& tuple(std::span<const Parameter> parameters) {
    if (parameters.empty()) return *this;
    little_endian(parameters.size(), 1);
    static constexpr value_type types[] = {value_type::null, value_type::integer, value_type::real, value_type::text,
                                           value_type::blob};
    for (const Parameter& each : parameters) little_endian(static_cast<std::uint64_t>(types[each.index()]), 1);
    pad();
    for (const Parameter& each : parameters) value(each);
    return *this;
  }

  std::string finish() {
    const std::size_t words = (bytes_.size() - Header::bytes) / word;
    for (unsigned i = 0; i < 4; ++i) bytes_[i] = static_cast<char>(words >> (8 * i));
    return std::move(bytes_);
  }

 private:
  Encoder& little_endian(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }

  Encoder& pad() {
    bytes_.resize(padded(bytes_.size()));
    return *this;
  }

  void reserve(std::size_t more) const {
    if (more <= max_body - bytes_.size() && bytes_.size() <= max_body) return;
    throw Error(make_sqlite_error(SQLITE_TOOBIG), "a statement with its values is longer than a node takes");
  }

  void value(const Parameter& parameter) {
    switch (parameter.index()) {
      case 0: uint64(0); break;
      case 1: uint64(static_cast<std::uint64_t>(std::get<1>(parameter))); break;
      case 2: uint64(std::bit_cast<std::uint64_t>(std::get<2>(parameter))); break;
      case 3: text(std::get<3>(parameter)); break;
      case 4: blob(std::get<4>(parameter)); break;
      default: break;
    }
  }

  std::string bytes_;
};

// The one database of a connection.
constexpr std::uint32_t database_id = 0;

}  // namespace

std::string hello() {
  std::string bytes(word, '\0');
  bytes[0] = static_cast<char>(protocol_version);
  return bytes;
}

// None is without a word: a request with an empty body is never answered.

std::string leader_request() {
  return Encoder(request::leader).uint64(0).finish();
}

std::string client_request(std::uint64_t id) {
  return Encoder(request::client).uint64(id).finish();
}

std::string open_request(std::string_view database) {
  return Encoder(request::open).text(database).uint64(0).text({}).finish();
}

std::string prepare_request(std::string_view sql) {
  return Encoder(request::prepare).uint64(database_id).text(sql).finish();
}

std::string exec_request(std::uint32_t statement, std::span<const Parameter> parameters) {
  return Encoder(request::exec).uint32(database_id).uint32(statement).tuple(parameters).finish();
}

std::string query_request(std::uint32_t statement, std::span<const Parameter> parameters) {
  return Encoder(request::query).uint32(database_id).uint32(statement).tuple(parameters).finish();
}

std::string finalize_request(std::uint32_t statement) {
  return Encoder(request::finalize).uint32(database_id).uint32(statement).finish();
}

std::string exec_sql_request(std::string_view sql) {
  return Encoder(request::exec_sql).uint64(database_id).text(sql).finish();
}

std::string query_sql_request(std::string_view sql) {
  return Encoder(request::query_sql).uint64(database_id).text(sql).finish();
}

std::string add_request(std::uint64_t id, std::string_view address) {
  return Encoder(request::add).uint64(id).text(address).finish();
}

std::string assign_request(std::uint64_t id, role role) {
  return Encoder(request::assign).uint64(id).uint64(static_cast<std::uint64_t>(role)).finish();
}

std::string remove_request(std::uint64_t id) {
  return Encoder(request::remove).uint64(id).finish();
}

std::string dump_request(std::string_view database) {
  return Encoder(request::dump).text(database).finish();
}

std::string cluster_request() {
  return Encoder(request::cluster).uint64(1).finish();
}

std::string transfer_request(std::uint64_t id) {
  return Encoder(request::transfer).uint64(id).finish();
}

std::string describe_request() {
  return Encoder(request::describe).uint64(0).finish();
}

}  // namespace statehouse::detail::wire
