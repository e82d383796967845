#include "file/remove_database.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

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
  if (!identify(file)) return false;  // and what is beside it is somebody's who makes it now, or stays for who does
  require_regular_file(file);
  const WholeFileLock lock(file);
  std::vector<std::pair<std::filesystem::path, FileIdentity>> beside;
  for (const char* const suffix : {"-wal", "-shm", "-journal"}) {
    const std::filesystem::path sidecar = file.string() + suffix;
    if (const auto identity = identify(sidecar)) beside.emplace_back(sidecar, *identity);
  }
  unlink_if_there(file);
  // Before it is without its log, without which what was last committed would be missing, should it come back.
  sync_directory(file.parent_path());
  for (const auto& [sidecar, identity] : beside)
    if (identify(sidecar) == identity) unlink_if_there(sidecar);  // not of one that was made anew meanwhile
  if (!beside.empty()) sync_directory(file.parent_path());
  return true;
}

}  // namespace statehouse::detail
