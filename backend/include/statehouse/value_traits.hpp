#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ratio>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "statehouse/detail/one_of.hpp"

#pragma GCC visibility push(default)
namespace statehouse {

enum class errc;

/// How SQLite keeps a type that it does not know: the one way to add a type to what is bound and read. Specialise it
/// for the type, before the first verb that is given one:
///
///     template <>
///     struct statehouse::value_traits<app::Email> {
///       using stored_type = std::string;
///       static const std::string& to_stored(const app::Email& email) { return email.text(); }
///       static app::Email from_stored(std::string text) { return app::Email(std::move(text)); }
///     };
///
/// `stored_type` is what a column of it is read as: any type that a row may have, or `std::string_view` or
/// `std::span<const std::byte>`, which are valid during `from_stored`. `to_stored` gives anything that can be bound; a
/// reference, `std::string_view` or `std::span` must stay valid as long as the value it was made of, all else is
/// copied. What is only bound needs no `stored_type` and `from_stored`, what is only read no `to_stored`. It goes
/// before what the library itself would do with the type, so that an enum may be stored as text.
///
/// Thread-safety: both are called on the thread that runs the statement, a database thread or with `inline_reads` the
/// caller's, for several connections at once; for a list `to_stored` is called by `in`. Errors: UnfitValue, of which an
/// Error is made that names the parameter or column; whatever else they throw is the outcome of the operation, or
/// leaves `in`.
/// Lifetime: an awaited verb copies the value, so it must own what it refers to.
template <class T>
struct value_traits;

/// Thrown by `value_traits` when a value has no counterpart on the other side.
class UnfitValue : public std::runtime_error {
 public:
  /// `why` continues "column 1 ('day') ...": "is not a date". Leave the value out of it. As `errc::value_out_of_range`.
  explicit UnfitValue(const std::string& why);
  /// The same, with another code for the Error.
  UnfitValue(const std::string& why, errc code);
  /// Of the Error that is made of it.
  errc code() const noexcept { return code_; }

 private:
  errc code_;
};

namespace detail {

template <class T>
concept HasToStored = requires(const T& value) {
  value_traits<T>::to_stored(value);
};
template <class T>
concept HasStoredType = requires {
  typename value_traits<T>::stored_type;
};

/// Integer counts of not less than nanoseconds.
template <class D>
inline constexpr bool is_exact_duration =
    std::conjunction_v<std::bool_constant<std::signed_integral<typename D::rep> && sizeof(typename D::rep) <= 8>,
                       std::ratio_greater_equal<typename D::period, std::nano>>;

/// Of `numerator / denominator` seconds each. Throws UnfitValue.
std::int64_t nanoseconds_of(std::int64_t ticks, std::int64_t numerator, std::int64_t denominator);
/// The reverse. Throws UnfitValue where they are no whole number of ticks.
std::int64_t ticks_of(std::int64_t nanoseconds, std::int64_t numerator, std::int64_t denominator);
/// Throws UnfitValue where it is no date, or outside the years 0000 to 9999.
std::string format_date(std::chrono::year_month_day date);
/// Throws UnfitValue.
std::chrono::year_month_day parse_date(std::string_view text);
/// Throws UnfitValue where there are not as many.
void check_size(std::span<const std::byte> blob, std::size_t wanted);
[[noreturn]] void fail_count();
bool is_utf8(std::string_view text) noexcept;

}  // namespace detail

/// A date: TEXT, `2024-02-29`, as sqlx writes a `NaiveDate`.
template <>
struct value_traits<std::chrono::year_month_day> {
  /// @cond
  using stored_type = std::string_view;
  static std::string to_stored(std::chrono::year_month_day date) { return detail::format_date(date); }
  static std::chrono::year_month_day from_stored(std::string_view text) { return detail::parse_date(text); }
  /// @endcond
};

/// A length of time: INTEGER, of nanoseconds whatever it counts itself, so that it may be read as another duration. One
/// that is no whole number of these is `errc::value_out_of_range`, as is one beyond 292 years.
template <class Rep, class Period>
requires detail::is_exact_duration<std::chrono::duration<Rep, Period>>
struct value_traits<std::chrono::duration<Rep, Period>> {
  /// @cond
  using stored_type = std::int64_t;
  static std::int64_t to_stored(std::chrono::duration<Rep, Period> time) {
    return detail::nanoseconds_of(time.count(), Period::num, Period::den);
  }
  static std::chrono::duration<Rep, Period> from_stored(std::int64_t nanoseconds) {
    const std::int64_t ticks = detail::ticks_of(nanoseconds, Period::num, Period::den);
    if (static_cast<Rep>(ticks) != ticks) detail::fail_count();
    return std::chrono::duration<Rep, Period>(static_cast<Rep>(ticks));
  }
  /// @endcond
};

/// So many bytes: a BLOB, read from one of exactly that size.
template <class Byte, std::size_t Size>
requires detail::OneOf<Byte, std::byte, unsigned char>
struct value_traits<std::array<Byte, Size>> {
  /// @cond
  using stored_type = std::span<const std::byte>;
  static std::span<const std::byte> to_stored(const std::array<Byte, Size>& bytes) {
    return std::as_bytes(std::span<const Byte>(bytes));
  }
  static std::array<Byte, Size> from_stored(std::span<const std::byte> blob) {
    detail::check_size(blob, Size);
    std::array<Byte, Size> bytes{};
    for (std::size_t i = 0; i < Size; ++i) bytes[i] = static_cast<Byte>(blob[i]);
    return bytes;
  }
  /// @endcond
};

}  // namespace statehouse
#pragma GCC visibility pop
