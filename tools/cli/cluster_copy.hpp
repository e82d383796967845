#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "statehouse/cluster_admin.hpp"

namespace statehouse::cli {

/// A database of a cluster as a file of this machine with its log beside it, in a private directory of its own; gone
/// with this object.
class ClusterCopy {
 public:
  /// Makes the directory, in `place`; `advice` is for who has none there. Throws Error.
  ClusterCopy(ClusterOptions cluster, const std::filesystem::path& place, std::string advice);
  ~ClusterCopy();
  ClusterCopy(const ClusterCopy&) = delete;
  ClusterCopy& operator=(const ClusterCopy&) = delete;

  /// Throws Error.
  void fetch(const std::stop_token& stop) const;
  /// Whoever opens it takes the log with it.
  std::filesystem::path file() const { return directory_ / cluster_.database; }

 private:
  const ClusterOptions cluster_;
  const std::string advice_;
  std::filesystem::path directory_;
};

}  // namespace statehouse::cli
