#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace statehouse::bench {

/// What has become of a program.
struct Outcome {
  std::string failure{};  ///< How it ended, other than by itself with exit code 0.
  std::string output{};
  std::string errors{};  ///< What it said on standard error.
};

/// Runs a program, found as a shell finds it, and waits for its end. After `limit` it is killed, with all that it has
/// started and that is still in its process group. Throws std::runtime_error when nothing can be started.
Outcome run_command(std::vector<std::string> words, std::chrono::milliseconds limit);

}  // namespace statehouse::bench
