#include "disk_recorder.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <stdexcept>

namespace statehouse::test {
namespace {

std::atomic<DiskRecorder*> recorder{nullptr};

bool is_recorded(const std::filesystem::path& path) {
  return !path.native().ends_with("-shm");
}

}  // namespace

DiskRecorder::DiskRecorder(const std::filesystem::path& root) {
  struct stat status {};
  if (::stat(root.c_str(), &status) != 0) throw std::runtime_error("there is no directory " + root.string());
  numbers_[status.st_ino] = root_inode;
  recorder = this;
}

DiskRecorder::~DiskRecorder() {
  recorder = nullptr;
}

void DiskRecorder::mark(std::size_t number) {
  std::lock_guard lock(mutex_);
  events_.push_back({.what = DiskEvent::kind::mark, .offset = static_cast<std::int64_t>(number)});
}

std::vector<DiskEvent> DiskRecorder::events() const {
  std::lock_guard lock(mutex_);
  return events_;
}

int DiskRecorder::number_of(ino_t real) const {
  const auto found = numbers_.find(real);
  return found == numbers_.end() ? -1 : found->second;
}

int DiskRecorder::number_of(int descriptor) const {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 ? number_of(status.st_ino) : -1;
}

int DiskRecorder::directory_of(const std::filesystem::path& path) const {
  struct stat status {};
  return ::stat(path.parent_path().c_str(), &status) == 0 ? number_of(status.st_ino) : -1;
}

void DiskRecorder::on_made(const char* path, bool directory) {
  std::lock_guard lock(mutex_);
  const int parent = directory_of(path);
  struct stat status {};
  if (parent < 0 || !is_recorded(path) || ::lstat(path, &status) != 0) return;
  numbers_[status.st_ino] = ++last_;
  events_.push_back({.what = DiskEvent::kind::link,
                     .inode = parent,
                     .name = std::filesystem::path(path).filename(),
                     .target = last_,
                     .directory = directory});
}

void DiskRecorder::on_unlinked(const char* path) {
  std::lock_guard lock(mutex_);
  const int parent = directory_of(path);
  if (parent < 0 || !is_recorded(path)) return;
  events_.push_back({.what = DiskEvent::kind::unlink, .inode = parent, .name = std::filesystem::path(path).filename()});
}

void DiskRecorder::on_renamed(const char* from, const char* to) {
  std::lock_guard lock(mutex_);
  const int parent = directory_of(from);
  if (parent != directory_of(to)) throw std::logic_error("a rename from one directory to another is not recorded");
  if (parent < 0) return;
  events_.push_back({.what = DiskEvent::kind::rename,
                     .inode = parent,
                     .name = std::filesystem::path(from).filename(),
                     .data = std::filesystem::path(to).filename()});
}

void DiskRecorder::on_written(int descriptor, const void* data, std::size_t size, std::int64_t offset) {
  std::lock_guard lock(mutex_);
  const int inode = number_of(descriptor);
  if (inode < 0) return;
  events_.push_back({.what = DiskEvent::kind::write,
                     .inode = inode,
                     .offset = offset,
                     .data = std::string(static_cast<const char*>(data), size)});
}

void DiskRecorder::on_truncated(int descriptor, std::int64_t size) {
  std::lock_guard lock(mutex_);
  const int inode = number_of(descriptor);
  if (inode >= 0) events_.push_back({.what = DiskEvent::kind::truncate, .inode = inode, .offset = size});
}

void DiskRecorder::on_synced(int descriptor) {
  std::lock_guard lock(mutex_);
  const int inode = number_of(descriptor);
  if (inode >= 0) events_.push_back({.what = DiskEvent::kind::sync, .inode = inode});
}

namespace {

/// The function that ours stands in front of.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool is_there(const char* path) {
  struct stat status {};
  return ::lstat(path, &status) == 0;
}

using open_function = int(const char*, int, ...);

int open_recorded(open_function* real, const char* path, int flags, mode_t mode) {
  DiskRecorder* const current = (flags & O_CREAT) != 0 ? recorder.load() : nullptr;
  const bool is_new = current != nullptr && !is_there(path);
  const int descriptor = real(path, flags, mode);
  const int error = errno;
  if (is_new && descriptor >= 0) current->on_made(path, false);
  errno = error;
  return descriptor;
}

/// Hands a result on, and tells the recorder of a success.
template <class Result, class Tell>
Result told(Result result, Tell&& tell) {
  const int error = errno;
  if (DiskRecorder* const current = recorder; current != nullptr && result >= 0) tell(*current);
  errno = error;
  return result;
}

template <class Function>
int sync_recorded(Function* real, int descriptor) {
  if (DiskRecorder* const current = recorder) return current->on_synced(descriptor), 0;
  return real(descriptor);
}

}  // namespace
}  // namespace statehouse::test

// By their names in the library: in the headers they may be macros or inline functions.
#define STATEHOUSE_REPLACES(name) __asm__(name)

extern "C" {

using namespace statehouse::test;

int recorded_open(const char* path, int flags, ...) STATEHOUSE_REPLACES("open");
int recorded_open64(const char* path, int flags, ...) STATEHOUSE_REPLACES("open64");
int recorded_mkostemps(char* pattern, int suffix, int flags) STATEHOUSE_REPLACES("mkostemps");
int recorded_mkdir(const char* path, mode_t mode) STATEHOUSE_REPLACES("mkdir");
int recorded_unlink(const char* path) STATEHOUSE_REPLACES("unlink");
int recorded_rename(const char* from, const char* to) STATEHOUSE_REPLACES("rename");
int recorded_renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags)
    STATEHOUSE_REPLACES("renameat2");
ssize_t recorded_pwrite(int descriptor, const void* data, size_t size, off_t offset) STATEHOUSE_REPLACES("pwrite");
ssize_t recorded_pwrite64(int descriptor, const void* data, size_t size, off_t offset) STATEHOUSE_REPLACES("pwrite64");
int recorded_ftruncate(int descriptor, off_t size) STATEHOUSE_REPLACES("ftruncate");
int recorded_ftruncate64(int descriptor, off_t size) STATEHOUSE_REPLACES("ftruncate64");
int recorded_fsync(int descriptor) STATEHOUSE_REPLACES("fsync");
int recorded_fdatasync(int descriptor) STATEHOUSE_REPLACES("fdatasync");

int recorded_open(const char* path, int flags, ...) {
  static auto* const real = next<open_function>("open");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_recorded(real, path, flags, mode);
}

int recorded_open64(const char* path, int flags, ...) {
  static auto* const real = next<open_function>("open64");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_recorded(real, path, flags, mode);
}

int recorded_mkostemps(char* pattern, int suffix, int flags) {
  static auto* const real = next<int(char*, int, int)>("mkostemps");
  return told(real(pattern, suffix, flags), [&](DiskRecorder& r) { r.on_made(pattern, false); });
}

int recorded_mkdir(const char* path, mode_t mode) {
  static auto* const real = next<int(const char*, mode_t)>("mkdir");
  return told(real(path, mode), [&](DiskRecorder& r) { r.on_made(path, true); });
}

int recorded_unlink(const char* path) {
  static auto* const real = next<int(const char*)>("unlink");
  return told(real(path), [&](DiskRecorder& r) { r.on_unlinked(path); });
}

int recorded_rename(const char* from, const char* to) {
  static auto* const real = next<int(const char*, const char*)>("rename");
  return told(real(from, to), [&](DiskRecorder& r) { r.on_renamed(from, to); });
}

int recorded_renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) {
  static auto* const real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return told(real(from_directory, from, to_directory, to, flags), [&](DiskRecorder& r) { r.on_renamed(from, to); });
}

ssize_t recorded_pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return told(real(descriptor, data, size, offset),
              [&](DiskRecorder& r) { r.on_written(descriptor, data, size, offset); });
}

ssize_t recorded_pwrite64(int descriptor, const void* data, size_t size, off_t offset) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite64");
  return told(real(descriptor, data, size, offset),
              [&](DiskRecorder& r) { r.on_written(descriptor, data, size, offset); });
}

int recorded_ftruncate(int descriptor, off_t size) {
  static auto* const real = next<int(int, off_t)>("ftruncate");
  return told(real(descriptor, size), [&](DiskRecorder& r) { r.on_truncated(descriptor, size); });
}

int recorded_ftruncate64(int descriptor, off_t size) {
  static auto* const real = next<int(int, off_t)>("ftruncate64");
  return told(real(descriptor, size), [&](DiskRecorder& r) { r.on_truncated(descriptor, size); });
}

int recorded_fsync(int descriptor) {
  static auto* const real = next<int(int)>("fsync");
  return sync_recorded(real, descriptor);
}

int recorded_fdatasync(int descriptor) {
  static auto* const real = next<int(int)>("fdatasync");
  return sync_recorded(real, descriptor);
}

}  // extern "C"
