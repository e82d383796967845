#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "statehouse/detail/one_of.hpp"
#include "statehouse/detail/statement.hpp"
#include "statehouse/value_traits.hpp"

/// Which C++ values may be given for the parameters of a statement, and how SQLite stores them. Nothing is changed on
/// the way: a value that SQLite cannot hold as it is is `errc::value_out_of_range`, and a type that has such values
/// only by accident does not compile. All of it, both ways, stands in backend/docs/types.md.
///
/// | C++ | SQLite |
/// |---|---|
/// | `bool`, integers of up to 64 bits, enums | INTEGER; an unsigned value above 2^63-1 is `errc::value_out_of_range` |
/// | `float`, `double` | REAL; NaN, which SQLite would store as NULL, is `errc::value_out_of_range` |
/// | what converts to `std::string_view` | TEXT, embedded NUL included |
/// | `std::filesystem::path` | TEXT, its native form |
/// | contiguous range of `std::byte` or `unsigned char` | BLOB |
/// | `std::chrono::sys_time<D>`, `D` an integer count of not less than nanoseconds | TEXT, ISO 8601 in UTC as sqlx writes it: `2024-02-29T12:30:00.250+00:00`; a year outside 0000 to 9999 is `errc::value_out_of_range` |
/// | `nullptr`, `std::nullopt`, `std::monostate`, empty `std::optional`, null `const char*` | NULL |
/// | `std::variant` | as what it holds |
/// | what has `value_traits` (value_traits.hpp), as `std::chrono::year_month_day` and `duration` | as they say |
///
/// Not accepted: a single character (text or number? give a `std::string_view` or an `int`), `__int128`, `long double`.
#pragma GCC visibility push(default)
namespace statehouse {

/// A value for the parameter of a name. Made by `named`.
template <class T>
struct Named {
  /// Copies `name`.
  Named(std::string_view name_of_it, T value_of_it) : name(name_of_it), value(std::move(value_of_it)) {}

  std::string name;  ///< As in the statement, with its sign: ":id", "@id", "$id".
  T value;           ///< For all places where the name stands.
};

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_sys_time = false;
template <class D>
inline constexpr bool is_sys_time<std::chrono::sys_time<D>> = is_exact_duration<D>;
template <class T>
inline constexpr bool is_variant = false;
template <class... Ts>
inline constexpr bool is_variant<std::variant<Ts...>> = true;
template <class T>
inline constexpr bool is_named = false;
template <class T>
inline constexpr bool is_named<Named<T>> = true;

template <class T>
concept CharacterType = OneOf<T, char, wchar_t, char8_t, char16_t, char32_t>;
// With GNU extensions, which are CMake's default, __int128 is integral.
template <class T>
concept Integer = std::integral<T> && !CharacterType<T> && sizeof(T) <= sizeof(std::int64_t);
template <class T>
concept Enum = std::is_enum_v<T> && sizeof(T) <= sizeof(std::int64_t);
template <class T>
concept Real = OneOf<T, float, double>;
template <class T>
concept NullLike = OneOf<T, std::nullptr_t, std::nullopt_t, std::monostate>;
template <class T>
concept TextLike = std::convertible_to<const T&, std::string_view>;
template <class T>
concept BlobLike = std::convertible_to<const T&, std::span<const std::byte>> ||
    std::convertible_to<const T&, std::span<const unsigned char>>;
template <class T>
concept BindableScalar = HasToStored<T> || NullLike<T> || Integer<T> || Enum<T> || Real<T> || TextLike<T> ||
    BlobLike<T> || is_sys_time<T> || std::same_as<T, std::filesystem::path>;

template <class T>
struct is_bindable : std::bool_constant<BindableScalar<T>> {};
template <class T>
struct is_bindable<std::optional<T>> : is_bindable<T> {};
template <class... Ts>
struct is_bindable<std::variant<Ts...>> : std::conjunction<is_bindable<Ts>...> {};

template <BlobLike T>
std::span<const std::byte> bytes_of(const T& value) {
  if constexpr (std::convertible_to<const T&, std::span<const std::byte>>) {
    return value;
  } else {
    return std::as_bytes(std::span<const unsigned char>(value));
  }
}

void bind_unsigned(Statement& statement, int index, std::uint64_t value);
void bind_real(Statement& statement, int index, double value);
/// `ticks` of `numerator / denominator` seconds since 1970.
void bind_time(Statement& statement, int index, std::int64_t ticks, std::int64_t numerator, std::int64_t denominator);
void check_parameter_count(Statement& statement, int given);
[[noreturn]] void fail_unfit_parameter(Statement& statement, int index, const UnfitValue& why);

/// What `to_stored` gives and does not own.
template <class T>
concept Lent = std::is_reference_v<T> || OneOf < T,
        std::string_view, std::span<const std::byte>,
const char* > ;

template <class T>
decltype(auto) stored_form(Statement& statement, int index, const T& value) {
  try {
    return value_traits<T>::to_stored(value);
  } catch (const UnfitValue& why) {
    fail_unfit_parameter(statement, index, why);
  }
}

/// `memory` is that of `value`.
template <class T>
void bind_value(Statement& statement, int index, const T& value, bound_memory memory = bound_memory::lent) {
  if constexpr (HasToStored<T>) {
    decltype(auto) stored = stored_form(statement, index, value);
    using Stored = decltype(stored);
    static_assert(is_bindable<std::remove_cvref_t<Stored>>::value,
                  "value_traits<T>::to_stored must give what can be bound (see bind.hpp)");
    bind_value(statement, index, stored, Lent<Stored> ? memory : bound_memory::copied);
  } else if constexpr (NullLike<T>) {
    statement.bind_null(index);
  } else if constexpr (is_optional<T>) {
    value ? bind_value(statement, index, *value, memory) : statement.bind_null(index);
  } else if constexpr (is_variant<T>) {
    std::visit([&](const auto& held) { bind_value(statement, index, held, memory); }, value);
  } else if constexpr (Enum<T>) {
    using Number = std::conditional_t<std::is_signed_v<std::underlying_type_t<T>>, std::int64_t, std::uint64_t>;
    bind_value(statement, index, static_cast<Number>(value));
  } else if constexpr (std::unsigned_integral<T>) {
    bind_unsigned(statement, index, value);
  } else if constexpr (Integer<T>) {
    statement.bind_integer(index, value);
  } else if constexpr (Real<T>) {
    bind_real(statement, index, value);
  } else if constexpr (is_sys_time<T>) {
    bind_time(statement, index, value.time_since_epoch().count(), T::period::num, T::period::den);
  } else if constexpr (std::same_as<T, std::filesystem::path>) {
    statement.bind_text(index, value.native(), memory);
  } else if constexpr (std::is_pointer_v<T>) {
    value != nullptr ? statement.bind_text(index, value, memory) : statement.bind_null(index);
  } else if constexpr (TextLike<T>) {
    statement.bind_text(index, value, memory);
  } else {
    statement.bind_blob(index, bytes_of(value), memory);
  }
}

/// Which parameter is called what, and has no value yet.
class NamedParameters {
 public:
  explicit NamedParameters(Statement& statement);
  /// Its index; from now on it has a value.
  int take(std::string_view name);
  void check_none_left() const;

 private:
  Statement& statement_;
  std::vector<std::string> open_;
};

template <class... Args>
void bind_all(Statement& statement, const Args&... args) {
  constexpr std::size_t count = (0 + ... + std::size_t(is_named<Args>));
  if constexpr (count == 0) {
    check_parameter_count(statement, static_cast<int>(sizeof...(args)));
    [[maybe_unused]] int index = 0;
    (bind_value(statement, ++index, args), ...);
  } else if constexpr (count == sizeof...(args)) {
    NamedParameters parameters(statement);
    (bind_value(statement, parameters.take(args.name), args.value), ...);
    parameters.check_none_left();
  } else {
    static_assert(count == 0, "give all values by name, or all of them in order");
  }
}

template <class T>
auto to_owned(T&& value);

template <class... Ts>
auto to_owned_variant(const std::variant<Ts...>& value) {
  using Owned = std::variant<decltype(to_owned(std::declval<const Ts&>()))...>;
  if (value.valueless_by_exception()) throw std::bad_variant_access();
  std::optional<Owned> owned;
  const auto own = [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((I == value.index() ? void(owned.emplace(std::in_place_index<I>, to_owned(std::get<I>(value)))) : void()), ...);
  };
  own(std::index_sequence_for<Ts...>());
  return *std::move(owned);
}

/// What an operation that outlives its call expression keeps of an argument: views and pointers become owners.
template <class T>
auto to_owned(T&& value) {
  using Plain = std::remove_cvref_t<T>;
  if constexpr (HasToStored<Plain>) {
    return Plain(std::forward<T>(value));
  } else if constexpr (is_named<Plain>) {
    using Owned = decltype(to_owned(std::forward<T>(value).value));
    return Named<Owned>(value.name, to_owned(std::forward<T>(value).value));
  } else if constexpr (NullLike<Plain>) {
    return value;
  } else if constexpr (is_optional<Plain>) {
    using Owned = decltype(to_owned(*std::forward<T>(value)));
    return value ? std::optional<Owned>(to_owned(*std::forward<T>(value))) : std::optional<Owned>();
  } else if constexpr (is_variant<Plain>) {
    return to_owned_variant(value);
  } else if constexpr (std::is_pointer_v<Plain> && TextLike<Plain>) {
    return value != nullptr ? std::optional<std::string>(value) : std::optional<std::string>();
  } else if constexpr (TextLike<Plain> && !std::same_as<Plain, std::string>) {
    return std::string(std::string_view(value));
  } else if constexpr (std::same_as<Plain, std::filesystem::path>) {
    return std::string(value.native());
  } else if constexpr (BlobLike<Plain> && !OneOf<Plain, std::vector<std::byte>, std::vector<unsigned char>>) {
    const auto bytes = bytes_of(value);
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  } else {
    return Plain(std::forward<T>(value));
  }
}

}  // namespace detail

/// What can be given for a parameter.
template <class T>
concept Bindable = detail::is_bindable<std::remove_cvref_t<T>>::value || detail::is_named<std::remove_cvref_t<T>>;

/// A value by name, in any order: `pool.execute("DELETE FROM t WHERE a = :id OR b = :id", named(":id", 7))`. `name` is
/// as in the statement, with its sign. All values of a statement are given by name, or none; each parameter has one.
/// Errors of the verb: `errc::parameter_name`, which says which.
template <class T>
requires detail::is_bindable<std::decay_t<T>>::value Named<std::decay_t<T>> named(std::string_view name, T&& value) {
  return {name, std::forward<T>(value)};
}

}  // namespace statehouse
#pragma GCC visibility pop
