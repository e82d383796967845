#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>

#include "statehouse/bind.hpp"
#include "statehouse/value_traits.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

/// A list of values as the one value that a parameter takes: a JSON text, of which `json_each` makes rows. Made by
/// `in`; owns what it lists. Immutable.
class InList {
 public:
  /// As it is bound. Throws UnfitValue where `in` was given what JSON cannot tell, or `value_traits` refuse.
  const std::string& json() const;

  /// @cond
  void add(std::int64_t value);
  void add(std::uint64_t value);
  void add(std::string_view value);
  void add_time(std::int64_t ticks, std::int64_t numerator, std::int64_t denominator);
  void note(const UnfitValue& fault);
  /// @endcond

 private:
  std::string& next();

  std::string json_ = "[]";
  std::size_t count_ = 0;
  std::optional<UnfitValue> fault_;  // of the first that had one
};

/// What `value_traits` say: the list, TEXT.
template <>
struct value_traits<InList> {
  /// @cond
  static const std::string& to_stored(const InList& list) { return list.json(); }
  /// @endcond
};

namespace detail {

template <class T>
constexpr bool can_be_listed() {
  if constexpr (HasToStored<T>) {
    return can_be_listed<std::remove_cvref_t<decltype(value_traits<T>::to_stored(std::declval<const T&>()))>>();
  } else {
    return Integer<T> || Enum<T> || TextLike<T> || is_sys_time<T> || std::same_as<T, std::filesystem::path>;
  }
}

template <class T>
void add_to(InList& list, const T& value) {
  if constexpr (HasToStored<T>) {
    add_to(list, value_traits<T>::to_stored(value));
  } else if constexpr (Enum<T>) {
    using Number = std::conditional_t<std::is_signed_v<std::underlying_type_t<T>>, std::int64_t, std::uint64_t>;
    list.add(static_cast<Number>(value));
  } else if constexpr (Integer<T>) {
    using Number = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
    list.add(static_cast<Number>(value));
  } else if constexpr (is_sys_time<T>) {
    list.add_time(value.time_since_epoch().count(), T::period::num, T::period::den);
  } else if constexpr (std::same_as<T, std::filesystem::path>) {
    list.add(std::string_view(value.native()));
  } else if constexpr (std::is_pointer_v<T>) {
    value != nullptr ? list.add(std::string_view(value)) : list.note(UnfitValue("is NULL"));
  } else {
    list.add(std::string_view(value));
  }
}

}  // namespace detail

/// A list as one value: `pool.query_all<Row>("SELECT id, name FROM t WHERE id IN (SELECT value FROM json_each(?))",
/// in(ids))`. An empty one matches nothing. Of integers, `bool`, enums, texts, paths, times, and what `value_traits`
/// keep as one of these; all others do not compile. The bound value is TEXT, made by this call.
///
/// Errors of the verb, not of this call: `errc::value_out_of_range` with the element's place, for what JSON, or
/// SQLite's reading of it, would change: an unsigned value above 2^63-1, a text with a NUL character, a null pointer;
/// an UnfitValue of `value_traits`, with its code and the place. What else they throw leaves this call.
template <std::ranges::input_range Values>
InList in(Values&& values) {
  InList list;
  using Value = std::ranges::range_value_t<Values>;  // what `std::vector<bool>` iterates by is none
  for (const Value& value : values) {
    static_assert(
        detail::can_be_listed<Value>(),
        "a list holds integers, enums, texts, paths and times: of a double, a blob or a std::optional JSON has no "
        "exact form. Bind them one by one, or join a temporary table");
    if constexpr (detail::can_be_listed<Value>()) {
      try {
        detail::add_to(list, value);
      } catch (const UnfitValue& why) {
        list.note(why);
      }
    }
  }
  return list;
}

}  // namespace statehouse
#pragma GCC visibility pop
