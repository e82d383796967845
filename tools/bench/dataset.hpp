#pragma once

#include <filesystem>
#include <vector>

#include "workload.hpp"

namespace statehouse::bench {

/// Makes a database with migrations/context, in WAL mode, and `rows` rows with contexts of 200 bytes. Gives their keys.
std::vector<Key> make_database(const std::filesystem::path& file, std::size_t rows);

}  // namespace statehouse::bench
