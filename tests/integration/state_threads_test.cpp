#include <grp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "child_process.hpp"
#include "error_of.hpp"
#include "sanitized.hpp"
#include "statehouse/app_state.hpp"

// A system that lets no more threads be started: a container's pids limit, RLIMIT_NPROC.

namespace {

using namespace statehouse;
using namespace statehouse::test;

/// What making an AppState comes to in a process that may have `more` threads beside its own.
std::string with_threads_left(unsigned more, unsigned database_threads) {
  return in_child([&]() -> std::string {
    ::alarm(100);  // who waits for ever ends here
    // The limit counts the threads of a user and does not hold for root: a user whom nobody else is.
    const uid_t user = 1'000'000 + static_cast<uid_t>(::getpid());
    if (::setgroups(0, nullptr) != 0 || ::setuid(user) != 0) return "needs root";
    const rlimit limit{more + 1, more + 1};
    if (::setrlimit(RLIMIT_NPROC, &limit) != 0) return "no limit";
    asio::io_context io;
    AppState state(io.get_executor(), {.database_threads = database_threads});
    return "all started";
  });
}

}  // namespace

TEST_CASE("state: a thread that cannot be started is an error with what to do, at every count") {
  if (::geteuid() != 0) SKIP("another user's limit needs root");
  if (thread_sanitized) SKIP("the sanitizer has a thread of its own");
  for (const unsigned threads : {1U, 2U, 4U}) {
    for (unsigned more = 0; more <= threads; ++more) {
      CAPTURE(threads, more);
      const std::string said = with_threads_left(more, threads);
      const std::string which = more < threads
                                    ? "database thread " + std::to_string(more + 1) + " of " + std::to_string(threads)
                                    : "the clock's thread";
      CHECK(said == "cannot start " + which +
                        ": Resource temporarily unavailable: raise the limit of threads (pids of a container, ulimit "
                        "-u, TasksMax of systemd), or set AppStateOptions::database_threads to fewer");
    }
    CHECK(with_threads_left(threads + 1, threads) == "all started");
  }
}
