#include "live_log.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "output.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;
using Identity = std::pair<dev_t, ino_t>;

std::optional<Identity> identify(const fs::path& file, bool follow) {
  struct stat status {};
  if ((follow ? ::stat(file.c_str(), &status) : ::lstat(file.c_str(), &status)) != 0) return std::nullopt;
  return Identity(status.st_dev, status.st_ino);
}

/// What the directory holds, as far as this process may look.
std::vector<fs::path> entries(const fs::path& directory) {
  std::vector<fs::path> result;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
    result.push_back(it->path());
  return result;
}

/// A process with the database open, and the first of its files that is another one on disk.
struct Stranded {
  std::string process;
  std::string sidecar;
};

struct Database {
  fs::path file;
  Identity identity;

  /// "x.db-wal" when it is open there and not the one beside the database; nothing when it is another file.
  std::optional<std::string> stranded(const fs::path& descriptor, const std::string& name) const {
    for (const char* const suffix : {"-wal", "-shm"}) {
      const fs::path sidecar = file.string() + suffix;
      std::string own = sidecar.filename().string();
      if (name != own && name != own + " (deleted)") continue;
      if (const auto open = identify(descriptor, true); open && open != identify(sidecar, false)) return own;
    }
    return std::nullopt;
  }

  std::optional<std::string> look_at(const fs::path& process) const {
    bool has_database = false;
    std::optional<std::string> found;
    for (const fs::path& descriptor : entries(process / "fd")) {
      std::error_code error;
      const std::string name = fs::read_symlink(descriptor, error).filename().string();
      if (error || !name.starts_with(file.filename().string())) continue;
      has_database = has_database || identify(descriptor, true) == identity;
      if (!found) found = stranded(descriptor, name);
    }
    return has_database ? found : std::nullopt;
  }
};

std::string name_of(const fs::path& process) {
  std::string name;
  std::getline(std::ifstream(process / "comm"), name);
  return process.filename().string() + (name.empty() ? "" : " (" + name + ")");
}

std::optional<Stranded> find_stranded(const fs::path& file) {
  const auto identity = identify(file, true);
  if (!identity) return std::nullopt;
  const Database database{file, *identity};
  const std::string self = std::to_string(::getpid());
  for (const fs::path& process : entries("/proc")) {
    const std::string id = process.filename().string();
    if (id == self || !std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; })) continue;
    if (auto sidecar = database.look_at(process)) return Stranded{name_of(process), std::move(*sidecar)};
  }
  return std::nullopt;
}

}  // namespace

void require_same_log(const fs::path& file) {
  // Who closes the database as the last one removes both files a moment before he has closed them.
  constexpr int looks = 10;
  std::optional<Stranded> found = find_stranded(file);
  for (int i = 1; found && i < looks; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    found = find_stranded(file);
  }
  if (!found) return;
  throw Finding("log_replaced",
                "process " + found->process + " has this database open with a '" + found->sidecar +
                    "' that was moved, deleted or replaced on disk: what it has written since cannot be seen here, and "
                    "two logs at work would damage the file. Stop that process with SIGTERM, which lets it move what "
                    "it has into the database, and run this again");
}

}  // namespace statehouse::cli
