#pragma once

#include <filesystem>
#include <string>

#include "statehouse/cluster_admin.hpp"
#include "stop_signals.hpp"

namespace statehouse::cli {

/// A database of a cluster as a file of this machine with its log beside it, in a private directory beside `target`;
/// gone with this object.
class ClusterCopy {
 public:
  /// Throws Error, Finding with `interrupted` when a signal has come.
  ClusterCopy(const ClusterOptions& cluster, const std::filesystem::path& target, const StopSignals& signals,
              const char* interrupted);
  ~ClusterCopy();
  ClusterCopy(const ClusterCopy&) = delete;
  ClusterCopy& operator=(const ClusterCopy&) = delete;

  /// Whoever opens it takes the log with it.
  std::filesystem::path file() const { return directory_ / name_; }

 private:
  void fetch(const ClusterOptions& cluster, const StopSignals& signals, const char* interrupted) const;

  const std::string name_;
  std::filesystem::path directory_;
};

}  // namespace statehouse::cli
