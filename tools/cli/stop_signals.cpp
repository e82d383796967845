#include "stop_signals.hpp"

#include "output.hpp"

namespace statehouse::cli {
namespace {

volatile sig_atomic_t requested = 0;

}  // namespace

StopSignals::StopSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { requested = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, &interrupt_);
  ::sigaction(SIGTERM, &action, &terminate_);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &interrupt_, nullptr);
  ::sigaction(SIGTERM, &terminate_, nullptr);
}

void StopSignals::throw_if_requested(const char* message) const {
  if (requested) throw Finding("interrupted", message);
}

}  // namespace statehouse::cli
