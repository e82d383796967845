#include <sqlite3.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "cluster/decoder.hpp"
#include "cluster/encoder.hpp"
#include "error_of.hpp"

namespace statehouse::test {
namespace {

using namespace detail::wire;
using namespace std::string_view_literals;

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += digits[value >> 4];
    text += digits[value & 15];
  }
  return text;
}

std::string bytes_of(std::string_view written) {
  std::string bytes;
  std::string pair;
  for (const char c : written) {
    if (c == ' ' || c == '\n') continue;
    pair += c;
    if (pair.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(pair, nullptr, 16));
    pair.clear();
  }
  return bytes;
}

Response response_of(const std::string& message) {
  const Header header = decode_header(message);
  REQUIRE(message.size() == Header::bytes + header.body_bytes());
  return decode(header, message.substr(Header::bytes));
}

bool is_protocol_error(const std::string& message) {
  try {
    decode_all(message);
  } catch (const Error& error) {
    return error.code() == make_sqlite_error(SQLITE_PROTOCOL);
  }
  return false;
}

// The answer to `SELECT 7 AS a, 'ab' AS b, NULL, 1.5, x'0102'`: as all that follows written from the protocol's
// description, not recorded. What real nodes send is read in nodes_engine_test.
const std::string rows_message = bytes_of(R"(
  0e000000 07 00 0000
  0500000000000000
  6100000000000000 6200000000000000 4e554c4c00000000 312e350000000000 7827303130322700
  31 25 040000000000
  0700000000000000
  6162000000000000
  0000000000000000
  000000000000f83f
  0200000000000000 0102000000000000
  ffffffffffffffff)");

// One of each kind of answer.
const std::vector<std::string>& answers() {
  static const std::vector<std::string> all{
      bytes_of("03000000 00 00 0000  0a28000000000000 6e6f74206c656164 6572000000000000"),
      bytes_of("03000000 01 00 0000  0100000000000000 3132372e302e302e 313a393030310000"),
      bytes_of("01000000 02 00 0000  983a000000000000"),
      bytes_of("07000000 03 00 0000  0200000000000000 0100000000000000 613a310000000000 0000000000000000"
               "0200000000000000 613a320000000000 0200000000000000"),
      bytes_of("01000000 04 00 0000  0000000000000000"),
      bytes_of("02000000 05 00 0000  00000000 03000000 0200000000000000"),
      bytes_of("02000000 06 00 0000  0500000000000000 0100000000000000"),
      rows_message,
      bytes_of("01000000 08 00 0000  0000000000000000"),
      bytes_of("07000000 09 00 0000  0200000000000000 612e646200000000 0800000000000000 0102030405060708"
               "612e64622d77616c 0000000000000000 0000000000000000"),
      bytes_of("02000000 0a 00 0000  0700000000000000 0900000000000000"),
  };
  return all;
}

TEST_CASE("wire: a request is written byte by byte as a node expects it") {
  const std::array<Parameter, 2> parameters{std::int64_t{7}, "ab"sv};
  CHECK(hex(exec_sql_request("SELECT 1")) ==
        "0300000008000000"
        "0000000000000000"
        "53454c4543542031"
        "0000000000000000");
  CHECK(hex(exec_request(3, parameters)) ==
        "0400000005000000"
        "0000000003000000"
        "0201030000000000"
        "0700000000000000"
        "6162000000000000");
  CHECK(hex(hello()) == "0100000000000000");
  CHECK(hex(leader_request()) == "01000000000000000000000000000000");
  CHECK(hex(open_request("a.db")) == "0300000003000000612e646200000000" + std::string(32, '0'));
  CHECK(hex(exec_request(3, {})) == "01000000050000000000000003000000");
  CHECK(hex(finalize_request(1)) == "01000000070000000000000001000000");
  CHECK(hex(assign_request(2, role::voter)) == "020000000d00000002000000000000000000000000000000");
  CHECK(hex(remove_request(2)) == "010000000e0000000200000000000000");
  CHECK(hex(dump_request("a.db")) == "010000000f000000612e646200000000");
  CHECK(hex(transfer_request(3)) == "01000000110000000300000000000000");
  CHECK(hex(describe_request()) == "01000000120000000000000000000000");
}

TEST_CASE("wire: each kind of parameter has its own form, and a request is whole words") {
  const std::array<std::byte, 3> blob{std::byte{1}, std::byte{2}, std::byte{3}};
  const std::array<Parameter, 5> parameters{std::monostate(), std::numeric_limits<std::int64_t>::min(), 1.5, ""sv,
                                            std::span<const std::byte>(blob)};
  const std::string request = query_request(9, parameters);
  CHECK(request.size() % word == 0);
  CHECK(hex(request).substr(32) ==
        "0505010203040000"
        "0000000000000000"
        "0000000000000080"
        "000000000000f83f"
        "0000000000000000"
        "03000000000000000102030000000000");
}

TEST_CASE("wire: a text with a NUL byte is refused, where a node would cut it") {
  const std::array<Parameter, 1> parameters{"a\0b"sv};
  CHECK(code_of([&] { exec_request(0, parameters); }) == errc::value_out_of_range);
  CHECK(code_of([] { prepare_request("SELECT 1\0"sv); }) == errc::value_out_of_range);
}

TEST_CASE("wire: every kind of answer that is asked for is read") {
  CHECK(std::get<Failure>(response_of(answers()[0])).code == 10250);
  CHECK(std::get<Failure>(response_of(answers()[0])).message == "not leader");
  CHECK(std::get<Server>(response_of(answers()[1])).address == "127.0.0.1:9001");
  CHECK(std::get<Welcome>(response_of(answers()[2])).heartbeat_timeout == 15000);
  const auto members = std::get<Servers>(response_of(answers()[3])).members;
  REQUIRE(members.size() == 2);
  CHECK(members[1].address == "a:2");
  CHECK(members[1].role == role::spare);
  CHECK(std::get<Prepared>(response_of(answers()[5])).id == 3);
  CHECK(std::get<Prepared>(response_of(answers()[5])).parameters == 2);
  CHECK(std::get<Result>(response_of(answers()[6])).last_insert_rowid == 5);
  CHECK(std::get<Metadata>(response_of(answers()[10])).failure_domain == 7);
  CHECK(std::get<Metadata>(response_of(answers()[10])).weight == 9);
}

TEST_CASE("wire: rows come with their columns, their types and their end") {
  const auto rows = std::get<Rows>(response_of(rows_message));
  RowReader reader(rows.body);
  CHECK(reader.columns() == std::vector<std::string_view>{"a", "b", "NULL", "1.5", "x'0102'"});
  CHECK_FALSE(reader.more());
  std::vector<Value> row;
  REQUIRE(reader.next(row));
  CHECK(row[0].integer == 7);
  CHECK(row[1].bytes == "ab");
  CHECK(row[2].type == value_type::null);
  CHECK(row[3].real == 1.5);
  CHECK(row[4].bytes == "\1\2"sv);
  CHECK_FALSE(reader.next(row));
  CHECK_FALSE(reader.next(row));
}

TEST_CASE("wire: a part of rows says from the beginning that another one follows") {
  std::string part = rows_message;
  part.replace(part.size() - word, word, std::string(word, '\xee'));
  const auto rows = std::get<Rows>(response_of(part));
  CHECK(RowReader(rows.body).more());
}

TEST_CASE("wire: an answer without columns has no rows") {
  CHECK_NOTHROW(decode_all(bytes_of("02000000 07 00 0000 0000000000000000 ffffffffffffffff")));
  CHECK(is_protocol_error(bytes_of("03000000 07 00 0000 0000000000000000 0100000000000000 ffffffffffffffff")));
}

TEST_CASE("wire: an answer that is cut at any byte is an error, and nothing behind its end is read") {
  for (const std::string& whole : answers()) {
    CHECK_NOTHROW(decode_all(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(hex(whole), size);
      CHECK(is_protocol_error(whole.substr(0, size)));
      // The same with a header that fits what is left, so that the fields themselves end too early.
      if (size < Header::bytes || size % word != 0) continue;
      std::string cut = whole.substr(0, size);
      cut[0] = static_cast<char>((size - Header::bytes) / word);
      const Header header = decode_header(cut);
      const bool fits = header.type == static_cast<std::uint8_t>(response::empty);
      CHECK(is_protocol_error(cut) == !fits);
    }
  }
}

TEST_CASE("wire: whatever byte of an answer is another one, it is read or refused, never past its end") {
  for (const std::string& whole : answers()) {
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const char byte : {'\0', '\1', '\x7f', '\x80', '\xee', '\xff'}) {
        std::string changed = whole;
        changed[at] = byte;
        try {
          decode_all(changed);
        } catch (const Error& error) {
          CHECK(error.code() == make_sqlite_error(SQLITE_PROTOCOL));
        }
      }
    }
  }
}

TEST_CASE("wire: a header that claims too much is refused before there is room for it") {
  CHECK(code_of([] { decode_header(bytes_of("ffffffff 07 00 0000")); }) == make_sqlite_error(SQLITE_PROTOCOL));
  CHECK(code_of([] { decode_header(bytes_of("01000000 0b 00 0000")); }) == make_sqlite_error(SQLITE_PROTOCOL));
  CHECK(code_of([] { decode_header(bytes_of("01000000")); }) == make_sqlite_error(SQLITE_PROTOCOL));
}

TEST_CASE("wire: counts and lengths of 2^63 and more are refused") {
  CHECK(is_protocol_error(bytes_of("02000000 07 00 0000 ffffffffffffffff ffffffffffffffff")));
  CHECK(is_protocol_error(bytes_of("02000000 03 00 0000 ffffffffffffffff 0000000000000000")));
  CHECK(
      is_protocol_error(bytes_of("05000000 07 00 0000 0100000000000000 6100000000000000 0400000000000000"
                                 "ffffffffffffff7f ffffffffffffffff")));
}

}  // namespace
}  // namespace statehouse::test
