#include "sqlite/system_reason.hpp"

#include <cerrno>
#include <system_error>

#include "file/advice.hpp"

namespace statehouse::detail {

std::string system_reason(sqlite3* db, int result) {
  const int primary = result & 0xff;
  // SQLite tells ENOSPC by this code alone.
  if (primary == SQLITE_FULL) return std::string("; ") + advice(ENOSPC);
  if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN) return {};
  int error = sqlite3_system_errno(db);
  // SQLite does not ask when a commit fails. The VFS still knows.
  sqlite3_vfs* vfs = nullptr;
  void* const place = static_cast<void*>(&vfs);
  if (error == 0 && db != nullptr && sqlite3_file_control(db, "main", SQLITE_FCNTL_VFS_POINTER, place) == SQLITE_OK)
    error = vfs->xGetLastError(vfs, 0, nullptr);
  return error == 0 ? "" : "; " + std::system_category().message(error) + ": " + advice(error);
}

}  // namespace statehouse::detail
