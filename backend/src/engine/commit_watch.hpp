#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

namespace statehouse::detail {

/// Who wants to hear what was committed to a database. Outlives its connections.
class CommitWatch {
 public:
  /// Somebody does. From any thread; what is committed after the first of them has come is told, also where it was
  /// written before.
  bool wanted() const noexcept { return listeners_.load() != 0; }

  /// To these tables, as the schema has their names, and perhaps others that they are told of apart. By the thread that
  /// has the writer, after the commit and before whoever asked for it hears of it.
  virtual void committed(const std::vector<std::string>& tables) noexcept = 0;
  /// Nobody knows to which, or whether anything was.
  virtual void committed_something() noexcept = 0;

 protected:
  ~CommitWatch() = default;
  std::atomic<std::size_t> listeners_{0};
};

}  // namespace statehouse::detail
