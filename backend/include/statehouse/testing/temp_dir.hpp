#pragma once

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

/// What tests of a program that uses statehouse need; CMake's target `statehouse::testing`. Independent of the test
/// framework: what goes wrong is thrown. Not for production.
namespace statehouse::testing {

/// A fresh directory, mode 0700, below the system's directory for temporary files (`TMPDIR`), removed with all it holds
/// at the end. One thread uses it.
class TempDir {
 public:
  /// Throws std::runtime_error.
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "statehouse-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed for " + pattern);
    path_ = pattern;
  }
  /// Removes it, or tells on standard error where it is.
  ~TempDir() {
    std::error_code ignored;
    if (kept_)
      std::fprintf(stderr, "kept: %s\n", path_.c_str());
    else
      std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  /// It stays, to be looked at.
  void keep() noexcept { kept_ = true; }

  /// Where it is.
  const std::filesystem::path& path() const noexcept { return path_; }
  /// What is in it, or may be.
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace statehouse::testing
