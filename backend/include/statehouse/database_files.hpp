#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace statehouse {

/// Names of the databases whose files are in `data_dir`, sorted, of those that `pattern` matches, as in
/// `DbInstances::migrate_all`. With a development prefix those that have it; without one also those that look as if
/// they had. What follows no grammar of names is passed over, and so are symbolic links. Opens no file; blocks. Throws
/// Error with `errc::invalid_name` for the pattern or the prefix, or in the system category where a directory cannot be
/// looked into.
std::vector<std::string> find_databases(const std::filesystem::path& data_dir, std::string_view pattern = "**",
                                        std::string_view prefix = {});

}  // namespace statehouse
#pragma GCC visibility pop
