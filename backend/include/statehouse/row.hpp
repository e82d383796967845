#pragma once

#include <boost/pfr/core.hpp>
#include <boost/pfr/tuple_size.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "statehouse/bind.hpp"

/// What the rows of a query may be read into, and from which storage class:
///
/// | C++ | SQLite |
/// |---|---|
/// | `bool` | INTEGER: 0 is false, any other is true |
/// | integers of up to 64 bits, enums | INTEGER that fits, else `errc::value_out_of_range` |
/// | `double` | REAL, or INTEGER that a `double` holds exactly, else `errc::value_out_of_range` |
/// | `float` | REAL within its range, rounded to the nearest `float`; INTEGER that it holds exactly; else `errc::value_out_of_range` |
/// | `std::string` | TEXT |
/// | `std::vector` of `std::byte` or `unsigned char` | BLOB |
/// | `std::chrono::sys_time<D>` | TEXT in ISO 8601 (date, or date and time, optional fraction and offset), or INTEGER seconds since 1970, in the years 0000 to 9999; rounded down to `D`, `errc::value_out_of_range` if `D` cannot count them |
/// | `std::optional<T>` | as `T`, or NULL |
/// | `std::variant` | the alternative of the value's storage class, `std::monostate`, or what is stored as a `std::optional`, for NULL; no two may be of one class |
/// | what has `value_traits` (value_traits.hpp), as `std::chrono::year_month_day` and `duration` | as they say |
///
/// A whole row is one of these (one column), a `std::tuple`, or an aggregate; fields are matched by position, or with
/// `by_name` by their names. Another storage class is `errc::column_type`, NULL for a plain field is
/// `errc::unexpected_null`: nothing is converted silently. All of it, both ways, stands in backend/docs/types.md.
#pragma GCC visibility push(default)
namespace statehouse {
namespace detail {

template <class T>
concept BlobColumn = OneOf<T, std::vector<std::byte>, std::vector<unsigned char>>;
template <class T>
concept PlainColumn =
    Integer<T> || Enum<T> || Real<T> || std::same_as<T, std::string> || BlobColumn<T> || is_sys_time<T>;

/// What `value_traits<T>::from_stored` may take and need not own.
template <class T>
concept ColumnView = OneOf<T, std::string_view, std::span<const std::byte>>;

template <class T>
struct is_column;
template <class T>
constexpr bool has_stored_column() {
  if constexpr (HasStoredType<T>) {
    using Stored = typename value_traits<T>::stored_type;
    return ColumnView<Stored> || is_column<Stored>::value;
  } else {
    return false;
  }
}

constexpr unsigned bit_of(storage_class one) {
  return 1U << static_cast<unsigned>(one);
}

/// The storage classes that the values of a type have, a bit for each; only its own, where it is read from others, too.
template <class T>
constexpr unsigned classes_of() {
  if constexpr (HasStoredType<T>) {
    return classes_of<typename value_traits<T>::stored_type>();
  } else if constexpr (is_optional<T>) {
    return bit_of(storage_class::null) | classes_of<typename T::value_type>();
  } else if constexpr (is_variant<T>) {
    return []<class... Ts>(const std::variant<Ts...>*) {
      return (0U | ... | classes_of<Ts>());
    }(static_cast<const T*>(nullptr));
  } else if constexpr (Integer<T> || Enum<T>) {
    return bit_of(storage_class::integer);
  } else if constexpr (Real<T>) {
    return bit_of(storage_class::real);
  } else if constexpr (BlobColumn<T> || BlobLike<T>) {
    return bit_of(storage_class::blob);
  } else {
    return bit_of(std::same_as<T, std::monostate> ? storage_class::null : storage_class::text);
  }
}

template <class... Ts>
constexpr bool are_of_distinct_classes(const std::variant<Ts...>*) {
  unsigned seen = 0;
  bool distinct = true;
  for (const unsigned each : {classes_of<Ts>()...}) {
    distinct = distinct && (seen & each) == 0;
    seen |= each;
  }
  return distinct;
}

template <class T>
struct is_column : std::bool_constant<has_stored_column<T>() || PlainColumn<T>> {};
template <class T>
struct is_column<std::optional<T>> : std::bool_constant<!is_optional<T> && is_column<T>::value> {};
template <class... Ts>
struct is_column<std::variant<Ts...>>
    : std::bool_constant<((std::same_as<Ts, std::monostate> || (!is_optional<Ts> && is_column<Ts>::value)) && ...)> {};

template <class T>
inline constexpr bool is_tuple_of_columns = false;
template <class... Ts>
inline constexpr bool is_tuple_of_columns<std::tuple<Ts...>> = (is_column<Ts>::value && ...);

std::int64_t column_integer(Statement& statement, int index);
double column_double(Statement& statement, int index);
float column_float(Statement& statement, int index);
std::string column_text(Statement& statement, int index);
/// Valid until the next step.
std::string_view column_view(Statement& statement, int index);
/// Valid until the next step.
std::span<const std::byte> column_blob(Statement& statement, int index);
/// Ticks of `numerator / denominator` seconds since 1970.
std::int64_t column_time(Statement& statement, int index, std::int64_t numerator, std::int64_t denominator);
bool column_is_null(Statement& statement, int index) noexcept;
[[noreturn]] void fail_range(Statement& statement, int index);
[[noreturn]] void fail_unfit_column(Statement& statement, int index, const UnfitValue& why);
/// A variant has no type for what the column holds.
[[noreturn]] void fail_variant(Statement& statement, int index);
void check_column_count(Statement& statement, std::size_t fields);

template <std::integral T>
T narrow_to(Statement& statement, int index, std::int64_t value) {
  const auto narrow = static_cast<T>(value);
  if (static_cast<std::int64_t>(narrow) != value || (std::unsigned_integral<T> && value < 0))
    fail_range(statement, index);
  return narrow;
}

template <class T>
T read_column(Statement& statement, int index);

template <class Variant, std::size_t Index = 0>
Variant read_variant(Statement& statement, int index, storage_class actual) {
  if constexpr (Index == std::variant_size_v<Variant>) {
    fail_variant(statement, index);
  } else {
    using T = std::variant_alternative_t<Index, Variant>;
    if ((classes_of<T>() & bit_of(actual)) == 0) return read_variant<Variant, Index + 1>(statement, index, actual);
    if constexpr (std::same_as<T, std::monostate>) {
      return Variant(std::in_place_index<Index>);
    } else {
      return Variant(std::in_place_index<Index>, read_column<T>(statement, index));
    }
  }
}

template <class T>
T read_by_traits(Statement& statement, int index) {
  using Stored = typename value_traits<T>::stored_type;
  try {
    if constexpr (std::same_as<Stored, std::string_view>) {
      return value_traits<T>::from_stored(column_view(statement, index));
    } else if constexpr (std::same_as<Stored, std::span<const std::byte>>) {
      return value_traits<T>::from_stored(column_blob(statement, index));
    } else {
      return value_traits<T>::from_stored(read_column<Stored>(statement, index));
    }
  } catch (const UnfitValue& why) {
    fail_unfit_column(statement, index, why);
  }
}

template <class T>
T read_column(Statement& statement, int index) {
  if constexpr (HasStoredType<T>) {
    return read_by_traits<T>(statement, index);
  } else if constexpr (is_variant<T>) {
    static_assert(are_of_distinct_classes(static_cast<const T*>(nullptr)),
                  "two types of this std::variant are kept in the same storage class: which of them is a value to be?");
    return read_variant<T>(statement, index, statement.column_class(index));
  } else if constexpr (is_optional<T>) {
    if (column_is_null(statement, index)) return std::nullopt;
    return read_column<typename T::value_type>(statement, index);
  } else if constexpr (Enum<T>) {
    return static_cast<T>(narrow_to<std::underlying_type_t<T>>(statement, index, column_integer(statement, index)));
  } else if constexpr (std::same_as<T, bool>) {
    return column_integer(statement, index) != 0;
  } else if constexpr (Integer<T>) {
    return narrow_to<T>(statement, index, column_integer(statement, index));
  } else if constexpr (std::same_as<T, double>) {
    return column_double(statement, index);
  } else if constexpr (std::same_as<T, float>) {
    return column_float(statement, index);
  } else if constexpr (std::same_as<T, std::string>) {
    return column_text(statement, index);
  } else if constexpr (is_sys_time<T>) {
    const std::int64_t ticks = column_time(statement, index, T::period::num, T::period::den);
    return T(typename T::duration(narrow_to<typename T::rep>(statement, index, ticks)));
  } else {
    static_assert(BlobColumn<T>);
    const auto bytes = column_blob(statement, index);
    const auto* const data = reinterpret_cast<const typename T::value_type*>(bytes.data());
    return T(data, data + bytes.size());
  }
}

template <class T>
T read_row(Statement& statement) {
  if constexpr (is_column<T>::value) {
    check_column_count(statement, 1);
    return read_column<T>(statement, 0);
  } else if constexpr (is_tuple_of_columns<T>) {
    check_column_count(statement, std::tuple_size_v<T>);
    const auto read = [&]<std::size_t... I>(std::index_sequence<I...>) {
      return T{read_column<std::tuple_element_t<I, T>>(statement, static_cast<int>(I))...};
    };
    return read(std::make_index_sequence<std::tuple_size_v<T>>());
  } else {
    check_column_count(statement, boost::pfr::tuple_size_v<T>);
    T row{};
    boost::pfr::for_each_field(row, [&]<class Field>(Field& field, std::size_t index) {
      static_assert(is_column<Field>::value, "a field of this row type has no SQLite counterpart (see row.hpp)");
      field = read_column<Field>(statement, static_cast<int>(index));
    });
    return row;
  }
}

/// Reads the rows of one result into `T`. Specialised for what is not read by position, whose rows may be of another
/// type.
template <class T>
class RowReader {
 public:
  using row_type = T;

  T read(Statement& statement) { return read_row<T>(statement); }
};

template <class T>
using row_type_t = typename RowReader<T>::row_type;

}  // namespace detail

/// What `query_all<T>` and its kin accept for `T`.
template <class T>
concept Row = detail::is_column<T>::value || detail::is_tuple_of_columns<T> ||
    ((std::is_aggregate_v<T>)&&(std::is_class_v<T>)&&std::default_initializable<T>);

}  // namespace statehouse
#pragma GCC visibility pop
