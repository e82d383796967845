#pragma once

#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {

using testing::TempDir;

}  // namespace statehouse::test
