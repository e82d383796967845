#pragma once

#include <array>
#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "statehouse/row.hpp"

#if __has_include(<boost/pfr/core_name.hpp>)
#include <boost/pfr/core_name.hpp>
#endif
#if defined(BOOST_PFR_CORE_NAME_ENABLED) && BOOST_PFR_CORE_NAME_ENABLED
/// @cond
#define STATEHOUSE_HAS_FIELD_NAMES
/// @endcond
#endif

#pragma GCC visibility push(default)
namespace statehouse {

/// Reads rows into `T` by the names of its fields instead of their order, where a verb is given it for its row type:
/// `query_all<by_name<Person>>(...)` gives `std::vector<Person>`.
///
/// `T` is a default-constructible class whose public fields Boost.Describe knows (`BOOST_DESCRIBE_STRUCT(Person, (),
/// (id, name))`, those of described bases too); from Boost 1.84 on any aggregate that Boost.PFR can take apart. Each
/// field is read from the column of its name, whatever the case of ASCII letters, by the rules of row.hpp. Columns
/// without a field are left alone, so a table may get new ones.
///
/// Errors: `errc::column_name` for a field without a column, or with two, which says which; looked for in the first row
/// of a result, not in each.
template <class T>
struct by_name {};

namespace detail {

/// Where each field's column is. Throws Error.
void find_columns(Statement& statement, std::span<const std::string_view> fields, std::span<int> columns);

template <class Field>
void read_field(Statement& statement, int column, Field& field) {
  static_assert(is_column<Field>::value, "a field of this row type has no SQLite counterpart (see row.hpp)");
  field = read_column<Field>(statement, column);
}

template <class T, class Members>
struct DescribedFields;
template <class T, template <class...> class List, class... Members>
struct DescribedFields<T, List<Members...>> {
  static constexpr std::array<std::string_view, sizeof...(Members)> names{Members::name...};

  static void read(Statement& statement, const int* column, T& row) {
    (read_field(statement, *column++, row.*Members::pointer), ...);
  }
};

#ifdef STATEHOUSE_HAS_FIELD_NAMES
template <class T>
struct AggregateFields {
  static constexpr std::array<std::string_view, boost::pfr::tuple_size_v<T>> names = boost::pfr::names_as_array<T>();

  static void read(Statement& statement, const int* column, T& row) {
    boost::pfr::for_each_field(row, [&](auto& field) { read_field(statement, *column++, field); });
  }
};
#endif

/// Stands for those of a type that an assertion has refused.
template <class T>
struct UnknownFields {
  static constexpr std::array<std::string_view, 0> names{};
  static void read(Statement&, const int*, T&) {}
};

template <class T>
constexpr auto fields_of() {
  if constexpr (boost::describe::has_describe_members<T>::value) {
    constexpr auto which = boost::describe::mod_public | boost::describe::mod_inherited;
    return std::type_identity<DescribedFields<T, boost::describe::describe_members<T, which>>>();
#ifdef STATEHOUSE_HAS_FIELD_NAMES
  } else if constexpr (std::is_aggregate_v<T>) {
    return std::type_identity<AggregateFields<T>>();
#endif
  } else {
    static_assert(
        boost::describe::has_describe_members<T>::value,
        "the names of the fields are not known: add BOOST_DESCRIBE_STRUCT(T, (), (field, ...)) beside the "
        "struct and #include <boost/describe/class.hpp>; Boost 1.84 and newer finds those of aggregates by itself");
    return std::type_identity<UnknownFields<T>>();
  }
}

template <std::default_initializable T>
class RowReader<by_name<T>> {
 public:
  using row_type = T;

  T read(Statement& statement) {
    if (!found_) find_columns(statement, Fields::names, columns_);
    found_ = true;
    T row{};
    Fields::read(statement, columns_.data(), row);
    return row;
  }

 private:
  using Fields = typename decltype(fields_of<T>())::type;

  std::array<int, Fields::names.size()> columns_{};
  bool found_ = false;
};

}  // namespace detail
}  // namespace statehouse
#pragma GCC visibility pop
