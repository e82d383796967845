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

/// What the kernel adds to the name that an open file had.
constexpr const char* deleted = " (deleted)";

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
  Identity identity;

  bool operator==(const Stranded&) const = default;
};

std::string name_of(const fs::path& process) {
  std::string name;
  std::getline(std::ifstream(process / "comm"), name);
  return process.filename().string() + (name.empty() ? "" : " (" + name + ")");
}

/// What a process has open.
struct OpenFile {
  fs::path name;  // "x.db-wal (deleted)" when it has none any more
  Identity identity;
};

struct Database {
  fs::path file;
  Identity identity;

  /// Those called as the database or what belongs to it, in whatever directory.
  std::vector<OpenFile> open_in(const fs::path& process) const {
    std::vector<OpenFile> result;
    for (const fs::path& descriptor : entries(process / "fd")) {
      std::error_code error;
      fs::path name = fs::read_symlink(descriptor, error);
      if (error || !name.filename().string().starts_with(file.filename().string())) continue;
      if (const auto open = identify(descriptor, true)) result.push_back({std::move(name), *open});
    }
    return result;
  }

  /// It lies beside another database of the same name that the process has open, too.
  bool is_of_another(const OpenFile& sidecar, const std::vector<OpenFile>& all) const {
    const fs::path directory = sidecar.name.parent_path();
    const std::string own = file.filename().string();
    return directory != file.parent_path() && std::ranges::any_of(all, [&](const OpenFile& each) {
             const std::string name = each.name.filename().string();
             return each.name.parent_path() == directory && (name == own || name == own + deleted) &&
                    each.identity != identity;
           });
  }

  /// "x.db-wal" when it is open there and not the one beside the database; nothing when it is another file.
  std::optional<std::string> stranded(const OpenFile& open) const {
    for (const char* const suffix : {"-wal", "-shm"}) {
      const fs::path sidecar = file.string() + suffix;
      std::string own = sidecar.filename().string();
      const std::string name = open.name.filename().string();
      if ((name == own || name == own + deleted) && open.identity != identify(sidecar, false)) return own;
    }
    return std::nullopt;
  }

  std::optional<Stranded> look_at(const fs::path& process) const {
    const auto all = open_in(process);
    if (std::ranges::none_of(all, [&](const OpenFile& each) { return each.identity == identity; })) return std::nullopt;
    for (const OpenFile& each : all)
      if (auto found = stranded(each); found && !is_of_another(each, all))
        return Stranded{name_of(process), std::move(*found), each.identity};
    return std::nullopt;
  }
};

std::vector<Stranded> find_stranded(const fs::path& file) {
  std::vector<Stranded> result;
  const auto identity = identify(file, true);
  if (!identity) return result;
  const Database database{file, *identity};
  const std::string self = std::to_string(::getpid());
  for (const fs::path& process : entries("/proc")) {
    const std::string id = process.filename().string();
    if (id == self || !std::ranges::all_of(id, [](char c) { return c >= '0' && c <= '9'; })) continue;
    if (auto found = database.look_at(process)) result.push_back(std::move(*found));
  }
  return result;
}

}  // namespace

void require_same_log(const fs::path& file) {
  // Who closes the database as the last one removes both files a moment before he has closed them; and where processes
  // come and go, each look may see another one at that.
  constexpr int looks = 10;
  std::vector<Stranded> all = find_stranded(file);
  for (int i = 1; !all.empty() && i < looks; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto still = find_stranded(file);
    std::erase_if(all, [&](const Stranded& each) { return std::ranges::find(still, each) == still.end(); });
  }
  if (all.empty()) return;
  const Stranded& found = all.front();
  throw Finding("log_replaced",
                "process " + found.process + " has this database open with a '" + found.sidecar +
                    "' that was moved, deleted or replaced on disk: what it has written since cannot be seen here, and "
                    "two logs at work would damage the file. Stop that process with SIGTERM, which lets it move what "
                    "it has into the database, and run this again");
}

}  // namespace statehouse::cli
