#pragma once

#include <sqlite3.h>

#include <map>
#include <mutex>
#include <string>

#include "statehouse/testing/detail/shim_vfs.hpp"

namespace statehouse::test {

/// An encryption that is none, but as a real one for whoever uses it: a VFS `xor`, not the default, that has all bytes
/// of the database, its log and its journal on the disk as something else. Each connection is given the key, a byte
/// that is not 0, by `unlock` before it reads; what belongs to a file has the key of that. Where no key was given, or
/// 0, all is as without.
class XorVfs : public testing::detail::ShimVfs {
 public:
  static constexpr const char* name = "xor";

  XorVfs() : ShimVfs(name) {
    sqlite3_vfs_register(&real_names(), 1);  // it stays the default
    methods.xRead = [](sqlite3_file* file, void* into, int count, sqlite3_int64 at) {
      const int result = real(file)->pMethods->xRead(real(file), into, count, at);
      if (result == SQLITE_OK) turn(key(file), static_cast<unsigned char*>(into), count, at);
      if (result == SQLITE_IOERR_SHORT_READ) turn(key(file), static_cast<unsigned char*>(into), left(file, at), at);
      return result;
    };
    methods.xWrite = [](sqlite3_file* file, const void* from, int count, sqlite3_int64 at) {
      std::string bytes(static_cast<const char*>(from), static_cast<std::size_t>(count));
      turn(key(file), reinterpret_cast<unsigned char*>(bytes.data()), count, at);
      return real(file)->pMethods->xWrite(real(file), bytes.data(), count, at);
    };
    methods.xFetch = [](sqlite3_file*, sqlite3_int64, int, void** at) {  // what is mapped would be as on the disk
      *at = nullptr;
      return SQLITE_OK;
    };
    methods.xFileControl = [](sqlite3_file* file, int operation, void* with) {
      if (operation != set_key) return real(file)->pMethods->xFileControl(real(file), operation, with);
      ours(file).handle = *static_cast<const int*>(with);
      of<XorVfs>(file).remember(file);
      return SQLITE_OK;
    };
  }

  /// What `on_open` does.
  static int unlock(sqlite3* database, int with) {
    return sqlite3_file_control(database, "main", set_key, static_cast<void*>(&with));
  }

 private:
  static constexpr int set_key = 0x5851;  // nobody else's

  int open(const char* path, sqlite3_file* file, int flags, int* out_flags) override {
    const int result = open_real(path, file, flags, out_flags);
    if (result != SQLITE_OK || path == nullptr) return result;
    const std::lock_guard lock(mutex_);
    const std::string whole(path);
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
      names_[file] = whole;
    } else {
      const auto found = keys_.find(whole.substr(0, whole.rfind('-')));
      if (found != keys_.end()) ours(file).handle = found->second;
    }
    return result;
  }
  void remember(sqlite3_file* file) {
    const std::lock_guard lock(mutex_);
    keys_[names_[file]] = key(file);
  }

  static int key(sqlite3_file* file) noexcept { return ours(file).handle; }
  static int left(sqlite3_file* file, sqlite3_int64 at) {
    sqlite3_int64 size = 0;
    real(file)->pMethods->xFileSize(real(file), &size);
    return size > at ? static_cast<int>(size - at) : 0;
  }
  static void turn(int key, unsigned char* bytes, int count, sqlite3_int64 at) noexcept {
    for (int i = 0; key != 0 && i < count; ++i)
      bytes[i] = static_cast<unsigned char>(bytes[i] ^ key ^ static_cast<unsigned char>((at + i) * 31));
  }

  std::mutex mutex_;
  std::map<sqlite3_file*, std::string> names_;
  std::map<std::string, int> keys_;
};

}  // namespace statehouse::test
