#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "statehouse/bind.hpp"
#include "statehouse/detail/open_query.hpp"
#include "statehouse/detail/statement_verbs.hpp"
#include "statehouse/row.hpp"

#pragma GCC visibility push(default)
namespace statehouse::detail {

/// What a verb is given for its statement and, last, for each row.
template <class... Given>
struct ValuesAndFunction {
  static constexpr std::size_t values = sizeof...(Given) - 1;
  using Function = std::tuple_element_t<values, std::tuple<Given...>>;

  template <class T>
  static constexpr bool fit() {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return std::invocable<std::remove_reference_t<Function>&, row_type_t<T>> &&
             (Bindable<std::tuple_element_t<I, std::tuple<Given...>>> && ...);
    }
    (std::make_index_sequence<values>());
  }
};

/// Whether it wants another row.
template <class F, class Row>
bool hand_over(F& f, Row&& row) {
  using Result = std::invoke_result_t<F&, Row&&>;
  static_assert(std::is_void_v<Result> || std::same_as<Result, bool>,
                "the function of for_each returns nothing, or a bool that says whether to go on");
  if constexpr (std::is_void_v<Result>) {
    f(std::forward<Row>(row));
    return true;
  } else {
    return f(std::forward<Row>(row));
  }
}

template <class T>
struct ForEach {
  template <class Given>
  static std::size_t run(Session& session, std::string_view sql, Given given) {
    constexpr std::size_t values = std::tuple_size_v<Given> - 1;
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      OpenQuery query(session, prepare_bound(session, sql, std::get<I>(given)...));
      return run(query, std::get<values>(given));
    }
    (std::make_index_sequence<values>());
  }

 private:
  template <class F>
  static std::size_t run(OpenQuery& query, F& f) {
    RowReader<T> reader;
    std::size_t rows = 0;
    for (bool more = true; more && query.step(); ++rows) {
      more = hand_over(f, reader.read(query.statement()));
      query.require_transaction();
    }
    return rows;
  }
};

}  // namespace statehouse::detail
#pragma GCC visibility pop
