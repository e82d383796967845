#pragma once

#include <type_traits>

#include "statehouse/bind.hpp"

#pragma GCC visibility push(default)
namespace statehouse::detail {

template <class T>
constexpr bool may_be_braced =
    !std::is_lvalue_reference_v<T> && std::is_aggregate_v<std::remove_cvref_t<T>> &&
    !std::is_trivially_destructible_v<std::remove_cvref_t<T>> && !is_named<std::remove_cvref_t<T>>;

/// Of a statement verb that is awaited, for what is given by `Args&&`. GCC 12 destroys a temporary that braces have
/// made in a `co_await` expression twice, if it is an aggregate whose destructor does something; one that a function
/// returns has the same type, and is refused with it. What `named` gives is always that.
template <class... Args>
constexpr void check_temporaries() {
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
  static_assert(!(may_be_braced<Args> || ...),
                "GCC 12 would destroy this temporary aggregate twice in a co_await expression: give the value a name, "
                "and pass that");
#endif
}

}  // namespace statehouse::detail
#pragma GCC visibility pop
