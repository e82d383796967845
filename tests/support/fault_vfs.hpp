#pragma once

#include "statehouse/testing/fault_vfs.hpp"

namespace statehouse::test {

using testing::FaultVfs;

}  // namespace statehouse::test
