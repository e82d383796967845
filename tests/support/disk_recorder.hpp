#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace statehouse::test {

/// One call that changes what a disk holds, or makes it last.
struct DiskEvent {
  enum class kind {
    link,      ///< `name` in the directory `inode` is `target` from now on, a new file or directory.
    unlink,    ///< `name` in the directory `inode` is gone.
    rename,    ///< `name` in the directory `inode` is called `data` from now on, in place of what was called so.
    write,     ///< `data` at `offset` of the file `inode`.
    truncate,  ///< The file `inode` is `offset` bytes long.
    sync,      ///< All of the above on `inode` lasts.
    mark       ///< Nothing: the test has noted something, as number `offset`.
  };
  kind what;
  int inode = 0;
  std::int64_t offset = 0;
  std::string name{};
  std::string data{};
  int target = 0;
  bool directory = false;  ///< The target is one.
};

/// While it lives, a record of the calls by which this process changes files below `root`, in their order: those of
/// SQLite and our own, since it is the system's functions that are replaced (in disk_recorder.cpp, which must be
/// compiled into the test program). They do what they always do, except that syncs only count: no power is really lost
/// here, and a busy disk would take minutes for them. A -shm file is left out: it is mapped memory, which no disk
/// holds. One at a time.
class DiskRecorder {
 public:
  /// The number of `root` itself.
  static constexpr int root_inode = 0;

  explicit DiskRecorder(const std::filesystem::path& root);
  ~DiskRecorder();
  DiskRecorder(const DiskRecorder&) = delete;
  DiskRecorder& operator=(const DiskRecorder&) = delete;

  void mark(std::size_t number);
  /// So far.
  std::vector<DiskEvent> events() const;

  // For the functions of the system, after they have succeeded.
  void on_made(const char* path, bool directory);
  void on_unlinked(const char* path);
  void on_renamed(const char* from, const char* to);
  void on_written(int descriptor, const void* data, std::size_t size, std::int64_t offset);
  void on_truncated(int descriptor, std::int64_t size);
  void on_synced(int descriptor);

 private:
  /// Our number of what has this number on the real disk; -1 when it is none of ours.
  int number_of(ino_t real) const;
  int number_of(int descriptor) const;
  /// Of the directory that a path is in.
  int directory_of(const std::filesystem::path& path) const;

  mutable std::mutex mutex_;
  std::map<ino_t, int> numbers_;
  int last_ = root_inode;
  std::vector<DiskEvent> events_;
};

}  // namespace statehouse::test
