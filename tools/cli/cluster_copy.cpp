#include "cluster_copy.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "progress.hpp"
#include "statehouse/error.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_at(int error, const std::string& what, const fs::path& path) {
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, what + " '" + path.string() + "': " + code.message() + ": check owner, mode and room there");
}

/// A file that nobody has opened with SQLite yet: closing one that somebody has would drop his locks.
class NewFile {
 public:
  explicit NewFile(fs::path path)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) fail_at(errno, "cannot create", path_);
  }
  NewFile(NewFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  NewFile& operator=(NewFile&&) = delete;

  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_at(errno, "cannot write", path_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  fs::path path_;
  int descriptor_;
};

}  // namespace

ClusterCopy::ClusterCopy(const ClusterOptions& cluster, const fs::path& target, const StopSignals& signals,
                         const char* interrupted)
    : name_(cluster.database) {
  std::string made = target.string() + ".partial.XXXXXX";
  if (::mkdtemp(made.data()) == nullptr) fail_at(errno, "cannot create a directory beside", target);
  directory_ = made;
  try {
    fetch(cluster, signals, interrupted);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
    throw;
  }
}

ClusterCopy::~ClusterCopy() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void ClusterCopy::fetch(const ClusterOptions& cluster, const StopSignals& signals, const char* interrupted) const {
  const Progress watch("receiving", "");
  std::map<std::string, NewFile, std::less<>> files;
  ClusterAdmin(cluster).dump([&](std::string_view suffix, std::string_view bytes) {
    signals.throw_if_requested(interrupted);
    auto found = files.find(suffix);
    if (found == files.end())
      found = files.emplace(std::string(suffix), NewFile(file().string() + std::string(suffix))).first;
    found->second.write(bytes);
  });
}

}  // namespace statehouse::cli
