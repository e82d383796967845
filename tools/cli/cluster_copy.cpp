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

[[noreturn]] void fail_at(int error, const std::string& what, const fs::path& path, const std::string& advice) {
  const boost::system::error_code code(error, boost::system::system_category());
  throw Error(code, what + " '" + path.string() + "': " + code.message() + ": " + advice);
}

/// A file that nobody has opened with SQLite yet: closing one that somebody has would drop his locks.
class NewFile {
 public:
  NewFile(fs::path path, const std::string& advice)
      : path_(std::move(path)),
        advice_(advice),
        descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) fail_at(errno, "cannot create", path_, advice_);
  }
  NewFile(NewFile&& other) noexcept
      : path_(std::move(other.path_)), advice_(other.advice_), descriptor_(std::exchange(other.descriptor_, -1)) {}
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
      if (written < 0) fail_at(errno, "cannot write", path_, advice_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  fs::path path_;
  const std::string& advice_;
  int descriptor_;
};

}  // namespace

ClusterCopy::ClusterCopy(ClusterOptions cluster, const fs::path& place, std::string advice)
    : cluster_(std::move(cluster)), advice_(std::move(advice)) {
  std::string made = (place / (cluster_.database + ".partial.XXXXXX")).string();
  if (::mkdtemp(made.data()) == nullptr) fail_at(errno, "cannot create a directory in", place, advice_);
  directory_ = made;
}

ClusterCopy::~ClusterCopy() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void ClusterCopy::fetch(const std::stop_token& stop) const {
  const Progress watch("receiving", "");
  std::map<std::string, NewFile, std::less<>> files;
  ClusterAdmin(cluster_, stop).dump([&](std::string_view suffix, std::string_view bytes) {
    auto found = files.find(suffix);
    if (found == files.end())
      found = files.emplace(std::string(suffix), NewFile(file().string() + std::string(suffix), advice_)).first;
    found->second.write(bytes);
  });
}

}  // namespace statehouse::cli
