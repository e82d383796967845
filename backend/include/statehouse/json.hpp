#pragma once

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

#include "statehouse/error.hpp"
#include "statehouse/value_traits.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

namespace detail {

/// How deep arrays and objects may lie in each other, for SQLite, too.
inline constexpr std::size_t deepest_json = 1000;

/// Whether it comes back as it is: Boost.JSON writes any bytes, and reads UTF-8 only.
inline bool is_plain_json(const boost::json::value& value, std::size_t depth = 0) {
  if (depth > deepest_json) return false;
  if (const double* const number = value.if_double()) return std::isfinite(*number);
  if (const auto* const text = value.if_string()) return is_utf8({text->data(), text->size()});
  const auto is_plain = [&](const boost::json::value& each) { return is_plain_json(each, depth + 1); };
  if (const auto* const array = value.if_array()) return std::ranges::all_of(*array, is_plain);
  const auto* const object = value.if_object();
  return object == nullptr || std::ranges::all_of(*object, [&](const auto& each) {
           return is_utf8({each.key().data(), each.key().size()}) && is_plain(each.value());
         });
}

}  // namespace detail

/// `boost::json::value`: TEXT, without blanks. JSON's null is the text `null`; SQL's NULL is a `std::optional`. What is
/// read must be one JSON text by RFC 8259, else it is `errc::column_type`; of numbers it keeps what Boost.JSON does,
/// integers of 64 bits and else a `double`. Infinities and NaN, texts and keys that are not UTF-8, and what lies more
/// than 1000 deep, are `errc::value_out_of_range`. Include this where one is bound or read, and link `Boost::json`;
/// `statehouse.hpp` does not.
template <>
struct value_traits<boost::json::value> {
  /// @cond
  using stored_type = std::string_view;
  static std::string to_stored(const boost::json::value& value) {
    if (!detail::is_plain_json(value))
      throw UnfitValue("holds text that is not UTF-8, or a number or depth that JSON does not keep");
    return boost::json::serialize(value);
  }
  static boost::json::value from_stored(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = detail::deepest_json;
    options.numbers = boost::json::number_precision::precise;
    boost::system::error_code failure;
    boost::json::value value = boost::json::parse({text.data(), text.size()}, failure, {}, options);
    if (failure) throw UnfitValue("is not JSON: " + failure.message(), errc::column_type);
    return value;
  }
  /// @endcond
};

}  // namespace statehouse
#pragma GCC visibility pop
