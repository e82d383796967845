#include "file/remove_database.hpp"

#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <string>

#include "file/advice.hpp"
#include "file/file.hpp"
#include "file/partial_file.hpp"
#include "file/whole_file_lock.hpp"
#include "statehouse/error.hpp"

namespace statehouse::detail {
namespace {

void unlink_if_there(const std::filesystem::path& file) {
  if (::unlink(file.c_str()) == 0 || errno == ENOENT) return;
  const boost::system::error_code code(errno, boost::system::system_category());
  throw Error(code, "cannot delete '" + file.string() + "': " + code.message() + ": " + advice(code.value()));
}

}  // namespace

bool remove_database(const std::filesystem::path& file) {
  const bool there = identify(file).has_value();
  if (there) {
    require_regular_file(file);
    const WholeFileLock lock(file);
    unlink_if_there(file);
    // Before it is without its log, without which what was last committed would be missing, should it come back.
    sync_directory(file.parent_path());
  }
  bool beside = false;
  for (const char* const suffix : {"-wal", "-shm", "-journal"}) {
    const std::filesystem::path sidecar = file.string() + suffix;
    if (!identify(sidecar)) continue;
    unlink_if_there(sidecar);
    beside = true;
  }
  if (beside) sync_directory(file.parent_path());
  return there;
}

}  // namespace statehouse::detail
