#pragma once

#include <filesystem>

namespace statehouse::cli {

/// Throws Finding when another process has the database at `file` open together with a log, or an index of one, that is
/// not the one beside it on disk any more: what that process has committed since is not to be seen from here, and what
/// would be written here would damage the file.
///
/// Looks at the open files of the processes that this one may look at, which are those of the same user, or all for
/// root. Opens nothing of the database.
void require_same_log(const std::filesystem::path& file);

}  // namespace statehouse::cli
