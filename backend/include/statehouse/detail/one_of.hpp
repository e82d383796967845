#pragma once

#include <concepts>

#pragma GCC visibility push(default)
namespace statehouse::detail {

template <class T, class... Others>
concept OneOf = (std::same_as<T, Others> || ...);

}  // namespace statehouse::detail
#pragma GCC visibility pop
