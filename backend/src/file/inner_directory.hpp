#pragma once

#include <filesystem>
#include <string_view>

namespace statehouse::detail {

/// Makes what is missing of `inner`, `tenants/42`, below `directory`, mode 0700 under any umask, so that a power loss
/// does not take it. Follows no symbolic link: where there is one, or a file, throws Error in the system category.
void make_inner_directory(const std::filesystem::path& directory, std::string_view inner);

/// Whether all of it is there, with the same errors; makes nothing.
bool has_inner_directory(const std::filesystem::path& directory, std::string_view inner);

}  // namespace statehouse::detail
