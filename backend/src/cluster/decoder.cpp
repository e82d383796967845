#include "cluster/decoder.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <bit>

#include "cluster/files_reader.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail::wire {
namespace {

constexpr std::uint64_t last_part = 0xffffffffffffffff;
constexpr std::uint64_t another_part = 0xeeeeeeeeeeeeeeee;
constexpr std::size_t bits_per_type = 4;

Servers decode_servers(Decoder& decoder) {
  Servers servers;
  const std::uint64_t count = decoder.uint64();
  for (std::uint64_t i = 0; i < count; ++i) {  // ends at the end of the body, whatever the count
    Member member;
    member.id = decoder.uint64();
    member.address = decoder.text();
    member.role = static_cast<role>(decoder.uint64());
    servers.members.push_back(std::move(member));
  }
  return servers;
}

}  // namespace

void fail(const std::string& what) {
  throw Error(make_sqlite_error(SQLITE_PROTOCOL), "a node has sent what is not its protocol: " + what);
}

std::uint64_t Decoder::little_endian(std::size_t size) {
  const std::string_view bytes = raw(size);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

std::uint64_t Decoder::peek() const {
  return Decoder(*this).uint64();
}

std::string_view Decoder::raw(std::size_t size) {
  if (size > left()) fail("a message ends too early");
  const std::string_view bytes = body_.substr(at_, size);
  at_ += size;
  return bytes;
}

std::string_view Decoder::text() {
  const std::string_view rest = body_.substr(at_);
  const auto end = rest.find('\0');
  if (end == std::string_view::npos) fail("a text without an end");
  raw(padded(end + 1));
  return rest.substr(0, end);
}

std::string_view Decoder::blob() {
  const std::uint64_t size = uint64();
  if (size > left()) fail("a blob is longer than the message");
  const std::string_view bytes = body_.substr(at_, static_cast<std::size_t>(size));
  raw(padded(static_cast<std::size_t>(size)));
  return bytes;
}

Header decode_header(std::string_view bytes) {
  Decoder decoder(bytes);
  Header header;
  header.words = decoder.uint32();
  header.type = static_cast<std::uint8_t>(decoder.raw(1)[0]);
  header.schema = static_cast<std::uint8_t>(decoder.raw(1)[0]);
  decoder.raw(2);
  if (header.type > static_cast<std::uint8_t>(response::metadata))
    fail("a message of type " + std::to_string(header.type));
  if (header.body_bytes() > max_body && !header.is(response::files))
    fail("a message of " + std::to_string(header.body_bytes()) + " bytes");
  return header;
}

Response decode(const Header& header, std::string body) {
  Decoder decoder(body);
  switch (static_cast<response>(header.type)) {
    case response::failure: {
      const std::uint64_t code = decoder.uint64();
      return Failure{code, std::string(decoder.text())};
    }
    case response::server: {
      const std::uint64_t id = decoder.uint64();
      return Server{id, std::string(decoder.text())};
    }
    case response::welcome: return Welcome{decoder.uint64()};
    case response::servers: return decode_servers(decoder);
    case response::database: return Database{decoder.uint32()};
    case response::statement: {
      const std::uint32_t database = decoder.uint32();
      const std::uint32_t id = decoder.uint32();
      return Prepared{database, id, decoder.uint64()};
    }
    case response::result: {
      const std::uint64_t rowid = decoder.uint64();
      return Result{rowid, decoder.uint64()};
    }
    case response::rows: return Rows{std::move(body)};
    case response::empty: return Empty{};
    case response::files: fail("the files of a database that nobody has asked for");
    case response::metadata: {
      const std::uint64_t failure_domain = decoder.uint64();
      return Metadata{failure_domain, decoder.uint64()};
    }
  }
  fail("a message of type " + std::to_string(header.type));
}

RowReader::RowReader(std::string_view part) : decoder_(part) {
  const std::uint64_t count = decoder_.uint64();
  if (count > max_columns) fail("a row of " + std::to_string(count) + " columns");
  for (std::uint64_t i = 0; i < count; ++i) columns_.push_back(decoder_.text());
  if (decoder_.left() < word) fail("rows without an end");
  const std::uint64_t end = Decoder(part.substr(part.size() - word)).uint64();
  if (end != last_part && end != another_part) fail("rows without an end");
  more_ = end == another_part;
}

bool RowReader::next(std::vector<Value>& row) {
  // The first byte of a row holds two types, and none is 14 or 15: no row begins like one of the two ends.
  const std::uint64_t first = decoder_.peek();
  if (first == last_part || first == another_part) {
    if (decoder_.left() != word) fail("there is more after the end of the rows");
    return false;
  }
  if (columns_.empty()) fail("a row without columns");
  const std::string_view types = decoder_.raw(padded((columns_.size() + 1) / 2));
  row.resize(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const unsigned shift = i % 2 == 0 ? 0 : bits_per_type;
    Value& value = row[i];
    value = {static_cast<value_type>((static_cast<unsigned char>(types[i / 2]) >> shift) & 0x0fU)};
    switch (value.type) {
      case value_type::integer:
      case value_type::unix_time:
      case value_type::boolean: value.integer = static_cast<std::int64_t>(decoder_.uint64()); break;
      case value_type::real: value.real = std::bit_cast<double>(decoder_.uint64()); break;
      case value_type::text:
      case value_type::iso8601: value.bytes = decoder_.text(); break;
      case value_type::blob: value.bytes = decoder_.blob(); break;
      case value_type::null: decoder_.uint64(); break;
      default: fail("a value of type " + std::to_string(static_cast<int>(value.type)));
    }
  }
  return true;
}

void decode_all(std::string_view message) {
  const Header header = decode_header(message);
  const std::string_view body = message.substr(Header::bytes);
  if (body.size() != header.body_bytes()) fail("a message ends too early");
  if (header.is(response::files)) {
    FilesReader(body.size(), [](std::string_view, std::string_view) {}).feed(body);
    return;
  }
  const Response response = decode(header, std::string(body));
  if (const auto* const rows = std::get_if<Rows>(&response)) {
    RowReader reader(rows->body);
    std::vector<Value> row;
    while (reader.next(row)) {
    }
  }
}

}  // namespace statehouse::detail::wire
