#pragma once

#include <signal.h>

#include <stop_token>
#include <thread>

#include "output.hpp"
#include "statehouse/error.hpp"

namespace statehouse::cli {

/// The command was ended by SIGINT or SIGTERM, and has left nothing half made.
class Interrupted : public Finding {
 public:
  Interrupted(int signal, const char* message) : Finding("interrupted", message), signal_(signal) {}

  /// Ends the program by that signal: a loop of a shell ends with it then.
  /// Gives the exit code where it does not end, as the first process of a container.
  int end_program() const;

 private:
  int signal_;
};

/// While it lives, the first SIGINT or SIGTERM is only noted, so that a file that is not complete can be removed; the
/// second of either ends the program. One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Requested when one has come, for what waits.
  std::stop_token token() const noexcept { return source_.get_token(); }
  /// Throws Interrupted with this message when one has come.
  void throw_if_requested(const char* message) const;
  /// `action()`; what fails after one has come was ended by it, and throws Interrupted with this message.
  template <class Action>
  auto guard(const char* message, Action action) const {
    try {
      return action();
    } catch (const Error&) {
      throw_if_requested(message);
      throw;
    }
  }

 private:
  void listen();

  struct sigaction interrupt_ {};
  struct sigaction terminate_ {};
  std::stop_source source_;
  std::thread listener_;
};

}  // namespace statehouse::cli
