#pragma once

#include <filesystem>

namespace statehouse::detail {

/// Deletes a database file and what SQLite keeps beside it, so that a power loss does not bring it back. False when
/// there is none. Throws Error and deletes nothing: `errc::file_in_use` while anybody, in whatever process, has it
/// open; `errc::not_a_regular_file`; or in the system category.
bool remove_database(const std::filesystem::path& file);

}  // namespace statehouse::detail
