#pragma once

#include <exception>
#include <filesystem>
#include <string>

namespace statehouse::cli {

/// Where a folder of migrations is another tool's, as its files tell, and reading or applying it has failed: what
/// becomes of them here, and of databases that the tool has migrated. Else empty.
std::string import_hint(const std::exception_ptr& error, const std::filesystem::path& folder);

}  // namespace statehouse::cli
