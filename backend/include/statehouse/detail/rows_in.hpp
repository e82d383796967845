#pragma once

#include <array>
#include <boost/pfr/core.hpp>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "statehouse/bind.hpp"

/// Rows that are given to a statement, one after the other.
#pragma GCC visibility push(default)
namespace statehouse::detail {

template <class T>
inline constexpr bool is_tuple_of_values = false;
template <class... Ts>
inline constexpr bool is_tuple_of_values<std::tuple<Ts...>> = (is_bindable<std::remove_cvref_t<Ts>>::value && ...);
template <class First, class Second>
inline constexpr bool is_tuple_of_values<std::pair<First, Second>> = is_tuple_of_values<std::tuple<First, Second>>;

/// One value, several in a tuple or pair, or an aggregate of them.
template <class T>
concept RowIn = is_bindable<T>::value || is_tuple_of_values<T> ||(std::is_aggregate_v<T>&& std::is_class_v<T>);

template <class T>
concept RowsIn = std::ranges::forward_range<const std::remove_cvref_t<T>> &&
    RowIn<std::ranges::range_value_t<const std::remove_cvref_t<T>>>;

template <class T>
void bind_row(Statement& statement, const T& row) {
  if constexpr (is_bindable<T>::value) {
    bind_all(statement, row);
  } else if constexpr (is_tuple_of_values<T>) {
    std::apply([&](const auto&... values) { bind_all(statement, values...); }, row);
  } else {
    check_parameter_count(statement, static_cast<int>(boost::pfr::tuple_size_v<T>));
    boost::pfr::for_each_field(row, [&]<class Field>(const Field& field, std::size_t index) {
      static_assert(is_bindable<Field>::value, "a field of these rows has no SQLite counterpart (see bind.hpp)");
      bind_value(statement, static_cast<int>(index) + 1, field);
    });
  }
}

template <class T>
constexpr bool is_owner() {
  if constexpr (HasToStored<T> || std::same_as<T, std::filesystem::path>) {
    return true;
  } else if constexpr (is_optional<T>) {
    return is_owner<typename T::value_type>();
  } else {
    return std::same_as<decltype(to_owned(std::declval<const T&>())), T>;
  }
}

/// What an awaited verb keeps of a row.
template <class T>
auto to_owned_row(const T& row) {
  if constexpr (is_bindable<T>::value) {
    return to_owned(row);
  } else if constexpr (is_tuple_of_values<T>) {
    return std::apply(
        [](const auto&... values) { return std::tuple<decltype(to_owned(values))...>(to_owned(values)...); }, row);
  } else {
    boost::pfr::for_each_field(row, []<class Field>(const Field&) {
      static_assert(is_owner<Field>(),
                    "a field of these rows refers to what it does not own, and an awaited verb outlives the call: make "
                    "it a std::string or std::vector, or call execute_many of the connection in write(f)");
    });
    return row;
  }
}

/// Whether a range certainly owns its elements, as a container does whose memory is not lent to it.
template <class T>
inline constexpr bool owns_elements = requires {
  requires std::allocator_traits<typename T::allocator_type>::is_always_equal::value;
};
template <class T, std::size_t N>
inline constexpr bool owns_elements<std::array<T, N>> = true;

/// What an awaited verb keeps of the rows: takes a container over that is given to it, and copies all else.
template <class T>
auto to_owned_rows(T&& rows) {
  using Rows = std::remove_cvref_t<T>;
  using Row = std::ranges::range_value_t<const Rows>;
  using Owned = decltype(to_owned_row(std::declval<const Row&>()));
  if constexpr (!std::is_reference_v<T> && owns_elements<Rows> && std::same_as<Row, Owned>) {
    return Rows(std::forward<T>(rows));
  } else {
    std::vector<Owned> owned;
    if constexpr (std::ranges::sized_range<const Rows>) owned.reserve(std::ranges::size(rows));
    for (const Row& row : std::as_const(rows)) owned.push_back(to_owned_row(row));
    return owned;
  }
}

}  // namespace statehouse::detail
#pragma GCC visibility pop
