#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ratio>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "statehouse/detail/statement.hpp"

/// Which C++ values may be given for the parameters of a statement, and how SQLite stores them:
///
/// | C++ | SQLite |
/// |---|---|
/// | `bool`, integers, enums | INTEGER; an unsigned value above 2^63-1 is `errc::value_out_of_range` |
/// | `float`, `double` | REAL; NaN is stored as NULL |
/// | what converts to `std::string_view` | TEXT, embedded NUL included |
/// | contiguous range of `std::byte` | BLOB |
/// | `std::chrono::sys_time<D>`, `D` an integer count of not less than nanoseconds | TEXT, ISO 8601 in UTC as sqlx writes it: `2024-02-29T12:30:00.250+00:00`; a year outside 0000 to 9999 is `errc::value_out_of_range` |
/// | `nullptr`, `std::nullopt`, empty `std::optional`, null `const char*` | NULL |
namespace statehouse {
namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_sys_time = false;
template <class D>
inline constexpr bool is_sys_time<std::chrono::sys_time<D>> =
    std::conjunction_v<std::bool_constant<std::signed_integral<typename D::rep>>,
                       std::ratio_greater_equal<typename D::period, std::nano>>;

template <class T>
concept NullLike = std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t>;
template <class T>
concept TextLike = std::convertible_to<const T&, std::string_view>;
template <class T>
concept BlobLike = std::convertible_to<const T&, std::span<const std::byte>>;
template <class T>
concept BindableScalar = NullLike<T> || std::integral<T> || std::floating_point<T> || std::is_enum_v<T> ||
    TextLike<T> || BlobLike<T> || is_sys_time<T>;

template <class T>
struct is_bindable : std::bool_constant<BindableScalar<T>> {};
template <class T>
struct is_bindable<std::optional<T>> : is_bindable<T> {};

void bind_unsigned(Statement& statement, int index, std::uint64_t value);
/// `ticks` of `numerator / denominator` seconds since 1970.
void bind_time(Statement& statement, int index, std::int64_t ticks, std::int64_t numerator, std::int64_t denominator);
void check_parameter_count(Statement& statement, int given);

template <class T>
void bind_value(Statement& statement, int index, const T& value) {
  if constexpr (NullLike<T>) {
    statement.bind_null(index);
  } else if constexpr (is_optional<T>) {
    value ? bind_value(statement, index, *value) : statement.bind_null(index);
  } else if constexpr (std::is_enum_v<T>) {
    bind_value(statement, index, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::unsigned_integral<T>) {
    bind_unsigned(statement, index, value);
  } else if constexpr (std::integral<T>) {
    statement.bind_integer(index, value);
  } else if constexpr (std::floating_point<T>) {
    statement.bind_real(index, static_cast<double>(value));
  } else if constexpr (is_sys_time<T>) {
    bind_time(statement, index, value.time_since_epoch().count(), T::period::num, T::period::den);
  } else if constexpr (std::is_pointer_v<T>) {
    value != nullptr ? statement.bind_text(index, value, bound_text::lent) : statement.bind_null(index);
  } else if constexpr (TextLike<T>) {
    statement.bind_text(index, value, bound_text::lent);
  } else {
    statement.bind_blob(index, value);
  }
}

template <class... Args>
void bind_all(Statement& statement, const Args&... args) {
  check_parameter_count(statement, static_cast<int>(sizeof...(args)));
  [[maybe_unused]] int index = 0;
  (bind_value(statement, ++index, args), ...);
}

/// What an operation that outlives its call expression keeps of an argument: views and pointers become owners.
template <class T>
auto to_owned(T&& value) {
  using Plain = std::remove_cvref_t<T>;
  if constexpr (NullLike<Plain>) {
    return value;
  } else if constexpr (is_optional<Plain>) {
    using Owned = decltype(to_owned(*std::forward<T>(value)));
    return value ? std::optional<Owned>(to_owned(*std::forward<T>(value))) : std::optional<Owned>();
  } else if constexpr (std::is_pointer_v<Plain> && TextLike<Plain>) {
    return value != nullptr ? std::optional<std::string>(value) : std::optional<std::string>();
  } else if constexpr (TextLike<Plain> && !std::same_as<Plain, std::string>) {
    return std::string(std::string_view(value));
  } else if constexpr (BlobLike<Plain> && !std::same_as<Plain, std::vector<std::byte>>) {
    const std::span<const std::byte> bytes(value);
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  } else {
    return Plain(std::forward<T>(value));
  }
}

}  // namespace detail

template <class T>
concept Bindable = detail::is_bindable<std::remove_cvref_t<T>>::value;

}  // namespace statehouse
