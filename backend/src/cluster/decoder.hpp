#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/wire.hpp"

namespace statehouse::detail::wire {

/// Reads the fields of a body, which may hold anything. Throws Error with SQLITE_PROTOCOL instead of reading past its
/// end.
class Decoder {
 public:
  explicit Decoder(std::string_view body) noexcept : body_(body) {}

  std::uint64_t uint64() { return little_endian(8); }
  std::uint32_t uint32() { return static_cast<std::uint32_t>(little_endian(4)); }
  /// The same as `uint64`, which comes next all the same.
  std::uint64_t peek() const;
  std::string_view text();
  std::string_view blob();
  std::string_view raw(std::size_t size);
  std::size_t left() const noexcept { return body_.size() - at_; }

 private:
  std::uint64_t little_endian(std::size_t size);

  std::string_view body_;
  std::size_t at_ = 0;
};

[[noreturn]] void fail(const std::string& what);

/// Of the eight bytes before a body. Refuses one of an unknown type, and a body that is longer than `max_body` before
/// anybody makes room for it; the files of a database need none and may be of any length.
Header decode_header(std::string_view bytes);
/// Of anything but files. The body is taken over where it is long.
Response decode(const Header& header, std::string body);

/// A value of a row, in the memory of its part.
struct Value {
  value_type type = value_type::null;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view bytes{};  ///< Of a text or a blob.
};

/// Walks through one part of a query's answer: `columns` names, the rows, and a word that says whether another part
/// follows.
class RowReader {
 public:
  /// `part` must outlive it.
  explicit RowReader(std::string_view part);

  const std::vector<std::string_view>& columns() const noexcept { return columns_; }
  /// Whether another part follows. Known from the beginning.
  bool more() const noexcept { return more_; }
  /// False at the end. The values live as long as the part.
  bool next(std::vector<Value>& row);

 private:
  Decoder decoder_;
  std::vector<std::string_view> columns_;
  bool more_ = false;
};

/// One message as it comes, header included, all that is in it looked at: what a fuzzer calls.
void decode_all(std::string_view message);

}  // namespace statehouse::detail::wire
