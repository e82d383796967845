#pragma once

/// The version, as text. It stands here only: CMake, the programs and the packages read it.
#define STATEHOUSE_VERSION "0.2.0"

/// The same to compare: 10000 * major + 100 * minor + patch.
#define STATEHOUSE_VERSION_NUMBER 200
