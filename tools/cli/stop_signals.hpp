#pragma once

#include <signal.h>

namespace statehouse::cli {

/// While it lives, the first SIGINT or SIGTERM is only noted, so that a file that is not complete can be removed; the
/// second ends the program.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Throws Finding with this message when one has come.
  void throw_if_requested(const char* message) const;

 private:
  struct sigaction interrupt_ {};
  struct sigaction terminate_ {};
};

}  // namespace statehouse::cli
