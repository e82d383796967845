#pragma once

#include "statehouse/testing/detail/shim_vfs.hpp"

namespace statehouse::test {

using testing::detail::ShimVfs;

}  // namespace statehouse::test
