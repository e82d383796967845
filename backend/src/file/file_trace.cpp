#include "file/file_trace.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>

namespace statehouse::detail {
namespace {

/// File systems take the time from a clock that the kernel moves on every 1 to 10 ms.
constexpr auto clock_step = std::chrono::milliseconds(100);

std::int64_t nanoseconds(const timespec& time) noexcept {
  constexpr std::int64_t per_second = 1'000'000'000;
  return static_cast<std::int64_t>(time.tv_sec) * per_second + time.tv_nsec;
}

}  // namespace

std::optional<FileTrace> FileTrace::look(const std::filesystem::path& file) {
  struct stat status {};
  if (::lstat((file.string() + "-wal").c_str(), &status) == 0) return std::nullopt;
  if (::lstat(file.c_str(), &status) != 0) return std::nullopt;
  FileTrace trace;
  trace.identity_ = {status.st_dev, status.st_ino};
  trace.size_ = status.st_size;
  trace.times_ = {nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
  return trace;
}

std::optional<FileTrace> FileTrace::of(const std::filesystem::path& file) {
  auto trace = look(file);
  if (!trace) return trace;
  const std::chrono::nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
  const std::chrono::nanoseconds last(std::max(trace->times_.written, trace->times_.changed));
  if (now - last < clock_step) return std::nullopt;
  return trace;
}

bool FileTrace::matches(const std::filesystem::path& file) const {
  const auto now = look(file);
  return now && now->identity_ == identity_ && now->size_ == size_ && now->times_ == times_;
}

}  // namespace statehouse::detail
