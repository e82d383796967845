#pragma once

#include <algorithm>
#include <boost/uuid/uuid.hpp>
#include <cstddef>
#include <span>

#include "statehouse/value_traits.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

/// `boost::uuids::uuid`: a BLOB of 16 bytes, in the order in which they are written, as sqlx keeps a `Uuid`. Include
/// this where one is bound or read; `statehouse.hpp` does not. For TEXT, bind `to_string(id)` and read a `std::string`.
template <>
struct value_traits<boost::uuids::uuid> {
  /// @cond
  using stored_type = std::span<const std::byte>;
  static std::span<const std::byte> to_stored(const boost::uuids::uuid& id) {
    return std::as_bytes(std::span(id.begin(), id.end()));
  }
  static boost::uuids::uuid from_stored(std::span<const std::byte> blob) {
    boost::uuids::uuid id{};
    detail::check_size(blob, id.size());
    std::transform(blob.begin(), blob.end(), id.begin(), [](std::byte b) { return static_cast<unsigned char>(b); });
    return id;
  }
  /// @endcond
};

}  // namespace statehouse
#pragma GCC visibility pop
