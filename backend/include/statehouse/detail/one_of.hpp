#pragma once

#include <concepts>

namespace statehouse::detail {

template <class T, class... Others>
concept OneOf = (std::same_as<T, Others> || ...);

}  // namespace statehouse::detail
