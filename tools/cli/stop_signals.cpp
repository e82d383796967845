#include "stop_signals.hpp"

#include <semaphore.h>

namespace statehouse::cli {
namespace {

volatile sig_atomic_t requested = 0;  // the signal
/// Posted by a signal, and at the end. Of the few things that a handler may do, and that wake a thread.
sem_t awaited;

}  // namespace

StopSignals::StopSignals() {
  ::sem_init(&awaited, 0, 0);
  listener_ = std::thread([this] { listen(); });
  struct sigaction action {};
  action.sa_handler = [](int signal) {
    ::signal(SIGINT, SIG_DFL);
    ::signal(SIGTERM, SIG_DFL);
    requested = signal;
    ::sem_post(&awaited);
  };
  ::sigaction(SIGINT, &action, &interrupt_);
  ::sigaction(SIGTERM, &action, &terminate_);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &interrupt_, nullptr);
  ::sigaction(SIGTERM, &terminate_, nullptr);
  ::sem_post(&awaited);
  listener_.join();
  ::sem_destroy(&awaited);
}

void StopSignals::listen() {
  while (::sem_wait(&awaited) != 0) {  // interrupted
  }
  if (requested) source_.request_stop();
}

void StopSignals::throw_if_requested(const char* message) const {
  if (requested) throw Interrupted(requested, message);
}

int Interrupted::end_program() const {
  ::signal(signal_, SIG_DFL);
  ::raise(signal_);
  return 128 + signal_;
}

}  // namespace statehouse::cli
