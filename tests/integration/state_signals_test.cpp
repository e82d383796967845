#include "statehouse/signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/wait.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

// A service in a process of its own: this executable again, with a hidden test case as its main(). It says on its
// standard output, line by line, how far it is.
constexpr const char* service_test = "the service that the signal tests start";
constexpr const char* mode_variable = "STATEHOUSE_TEST_SERVICE";
constexpr const char* directory_variable = "STATEHOUSE_TEST_DIRECTORY";

void say(const std::string& line) {
  std::cout << "service: " << line << std::endl;
}

bool listens_to(int signal) {
  static const auto before = [](int each) {
    struct sigaction action {};
    ::sigaction(each, nullptr, &action);
    return reinterpret_cast<void (*)()>(action.sa_handler);
  };
  static const auto at_start = before(SIGTERM);
  return before(signal) != at_start;
}

struct Service {
  explicit Service(asio::io_context& context) : io(context) {
    AppStateOptions options;
    options.data_dir = std::getenv(directory_variable);
    options.database_threads = 2;
    options.logger =
        std::make_shared<spdlog::logger>("service", std::make_shared<spdlog::sinks::ostream_sink_mt>(std::cout, true));
    options.logger->set_pattern("service: log: %v");
    options.pool.readers = 1;
    state.emplace(io.get_executor(), std::move(options));
  }

  asio::awaitable<void> sleep(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
  }
  asio::awaitable<void> insert(int value) {
    const Pool pool = co_await state->db_instances.get_pool("x");
    co_await pool.execute("INSERT INTO t VALUES (?)", value);
  }

  asio::io_context& io;
  asio::steady_timer query_ended{io, asio::steady_timer::time_point::max()};
  std::optional<AppState> state;
};

using Drain = std::function<asio::awaitable<void>(Service&)>;

asio::awaitable<void> drain_writing(Service& service) {
  for (int i = 0; i < 3; ++i) co_await service.insert(10 + i);  // the databases are still there
}
asio::awaitable<void> drain_throwing(Service& service) {
  co_await service.sleep(1ms);
  throw std::runtime_error("the listener is on fire");
}
asio::awaitable<void> drain_sleeping(Service& service) {
  co_await service.sleep(1h);
}
asio::awaitable<void> drain_deaf(Service& service) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  for (;;) co_await service.sleep(10ms);
}
asio::awaitable<void> drain_querying(Service& service) {
  // Deaf to its cancellation, but what it waits for ends when the databases are shut down.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await service.query_ended.async_wait(asio::as_tuple(asio::use_awaitable));
}

/// Work that does not end by itself.
asio::awaitable<void> hang_in_closure(Service& service) {
  const Pool pool = co_await service.state->db_instances.get_pool("x");
  auto closure = [](Connection&) {
    say("hanging");
    for (;;) std::this_thread::sleep_for(1h);
  };
  co_await pool.write(closure);
}
/// What `drain_querying` waits for.
asio::awaitable<void> query(Service& service) {
  const Pool pool = co_await service.state->db_instances.get_pool("x");
  auto closure = [](Reader& db) {
    say("querying");
    db.query_one<int>(endless);
  };
  try {
    co_await pool.read(closure);
  } catch (const Error& error) {
    say("query ended: " + error.code().message().substr(0, 22));
  }
  service.query_ended.expires_at(asio::steady_timer::time_point::min());
}
asio::awaitable<void> hold_transaction(Service& service) {
  const Pool pool = co_await service.state->db_instances.get_pool("x");
  Transaction transaction = co_await pool.begin();
  co_await transaction.execute("INSERT INTO t VALUES (666)");
  say("holding");
  co_await service.sleep(1h);
}

asio::awaitable<void> serve(Service& service, Drain drain, ShutdownOptions options) {
  service.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"}));
  co_await service.state->init();
  co_await service.insert(1);
  const auto draining = [&]() -> asio::awaitable<void> {
    say("draining");
    co_await drain(service);
    say("drained");
  };
  ShutdownReport report;
  if (drain) {
    report = co_await shutdown_on_signal(*service.state, draining, options);
  } else {
    report = co_await shutdown_on_signal(*service.state, options);
  }
  for (const auto& database : report.databases) {
    std::string line =
        database.name + (database.closed ? " closed" : " open") + (database.interrupted ? " interrupted" : "");
    for (const Holder& holder : database.holders) line += " " + holder.verb;
    say(line);
  }
  say(report.clean() ? "clean" : "not clean");
  std::cout.flush();
  // Not through the destructors: a closure may hang, a coroutine may still sleep.
  std::_Exit(0);
}

TEST_CASE(service_test, "[.]") {
  static const std::map<std::string, std::tuple<Drain, std::function<asio::awaitable<void>(Service&)>, ShutdownOptions>>
      modes{
          {"idle", {{}, {}, {.grace = 60s, .deadline = 60s}}},
          {"writing", {drain_writing, {}, {.grace = 60s, .deadline = 60s}}},
          {"throwing", {drain_throwing, {}, {.grace = 60s, .deadline = 60s}}},
          {"sleeping", {drain_sleeping, {}, {.grace = 200ms, .deadline = 60s}}},
          {"deaf", {drain_deaf, {}, {.grace = 100ms, .deadline = 1s}}},
          {"querying", {drain_querying, query, {.grace = 200ms, .deadline = 60s}}},
          {"draining for long", {drain_sleeping, {}, {.grace = 60s, .deadline = 60s}}},
          {"closure", {{}, hang_in_closure, {.grace = 60s, .deadline = 60s}}},
          {"transaction", {{}, hold_transaction, {.grace = 60s, .deadline = 60s}}},
      };
  REQUIRE(std::getenv(mode_variable) != nullptr);
  const auto& [drain, busy, options] = modes.at(std::getenv(mode_variable));
  static_cast<void>(listens_to(SIGTERM));
  asio::io_context io;
  Service service(io);
  const auto failed = [](std::exception_ptr error) {
    if (error != nullptr) say("failed: " + error_of([&] { std::rethrow_exception(error); }).code().message());
  };
  asio::co_spawn(io, serve(service, drain, options), failed);
  const auto tell_when_ready = [&]() -> asio::awaitable<void> {
    while (!listens_to(SIGTERM) || !listens_to(SIGINT)) co_await service.sleep(1ms);
    if (busy) asio::co_spawn(io, busy(service), [](std::exception_ptr) {});
    say("ready");
  };
  asio::co_spawn(io, tell_when_ready, failed);
  io.run();
}

/// The process of such a service, killed at the end if it is still there.
class Process {
 public:
  explicit Process(const std::string& mode) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    from_ = ends[0];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    std::vector<char*> arguments{const_cast<char*>(self.c_str()), const_cast<char*>(service_test), nullptr};
    ::setenv(mode_variable, mode.c_str(), 1);
    ::setenv(directory_variable, dir.path().c_str(), 1);
    const int result = ::posix_spawn(&pid_, self.c_str(), &actions, nullptr, arguments.data(), environ);
    ::unsetenv(mode_variable);
    ::unsetenv(directory_variable);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    REQUIRE(result == 0);
  }
  ~Process() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    wait();
    ::close(from_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void signal(int number) const { ::kill(pid_, number); }
  /// True when it has said that line; waits for each part of it as long as a test has patience.
  bool says(const std::string& line) {
    const std::string wanted = "service: " + line + "\n";
    while (!contains(said_, wanted) && read_more()) {
    }
    return contains(said_, wanted);
  }
  /// Waits for its end; true for exit code 0.
  bool ends_well() {
    while (read_more()) {
    }
    return wait() == 0;
  }
  const std::string& said() const noexcept { return said_; }

  testing::TempDir dir;

 private:
  bool read_more() {
    pollfd ready{from_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) != 1) return false;
    char buffer[4096];
    const auto got = ::read(from_, buffer, sizeof buffer);
    if (got > 0) said_.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }
  int wait() {
    if (pid_ <= 0) return 0;
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return status;
  }

  pid_t pid_ = 0;
  int from_ = -1;
  std::string said_;
};

/// A service that `end` has brought to its end. On a busy machine the second that it has for closing, or less, may pass
/// before it has had its turn: then another one.
template <class End>
std::unique_ptr<Process> closed_in_time(const std::string& mode, End end) {
  for (int attempt = 1;; ++attempt) {
    auto service = std::make_unique<Process>(mode);
    REQUIRE(service->says("ready"));
    end(*service);
    CHECK(service->ends_well());
    if (!contains(service->said(), "service: x open") || attempt == 10) return service;
  }
}

std::vector<std::string> rows(const Process& process) {
  check_closed(process.dir / "x.db");
  return column(process.dir / "x.db", "SELECT x FROM t");
}

TEST_CASE("signals: SIGTERM and SIGINT shut the databases down and give the report") {
  const int number = GENERATE(SIGTERM, SIGINT);
  Process service("idle");
  REQUIRE(service.says("ready"));
  service.signal(number);
  CHECK(service.ends_well());
  CAPTURE(service.said());
  CHECK(service.says("x closed"));
  CHECK(service.says("clean"));
  CHECK(rows(service) == std::vector<std::string>{"1"});
}

TEST_CASE("signals: the databases are open until the drain is done") {
  Process service("writing");
  REQUIRE(service.says("ready"));
  service.signal(SIGTERM);
  CHECK(service.ends_well());
  CAPTURE(service.said());
  CHECK(service.says("drained"));
  CHECK(service.says("x closed"));
  CHECK(rows(service) == std::vector<std::string>{"1", "10", "11", "12"});
}

TEST_CASE("signals: a drain that throws is logged, and the shutdown goes on without waiting for anything") {
  Process service("throwing");
  REQUIRE(service.says("ready"));
  service.signal(SIGTERM);
  CHECK(service.ends_well());
  CAPTURE(service.said());
  CHECK(service.says("log: shutdown: draining failed: the listener is on fire"));
  CHECK(service.says("x closed"));
  CHECK(rows(service) == std::vector<std::string>{"1"});
}

TEST_CASE("signals: a drain that does not end is cancelled after the grace time") {
  Process service("sleeping");
  REQUIRE(service.says("ready"));
  service.signal(SIGTERM);
  CHECK(service.ends_well());
  CAPTURE(service.said());
  CHECK(service.says("draining"));
  CHECK_FALSE(contains(service.said(), "drained"));
  CHECK(service.says("log: shutdown: draining is cut short"));
  CHECK(service.says("x closed"));
  CHECK(service.says("clean"));
}

TEST_CASE("signals: a drain that does not heed its cancellation is left to itself at the deadline") {
  const auto service = closed_in_time("deaf", [](const Process& process) { process.signal(SIGTERM); });
  CAPTURE(service->said());
  CHECK(service->says("x closed"));
  CHECK(service->says("log: shutdown: draining has not ended in time and is left to itself"));
  CHECK(rows(*service) == std::vector<std::string>{"1"});
}

TEST_CASE("signals: a drain that waits for a database is waited for after the database was interrupted") {
  Process service("querying");
  REQUIRE(service.says("ready"));
  REQUIRE(service.says("querying"));
  service.signal(SIGTERM);
  CHECK(service.ends_well());
  CAPTURE(service.said());
  CHECK(service.says("query ended: " + make_error_code(errc::closed).message().substr(0, 22)));
  CHECK(service.says("drained"));
  CHECK(service.says("x closed interrupted"));
  CHECK_FALSE(contains(service.said(), "left to itself"));
}

TEST_CASE("signals: a second one during the drain ends it, and the databases still have time to close") {
  const auto service = closed_in_time("draining for long", [](Process& process) {
    process.signal(SIGTERM);
    REQUIRE(process.says("draining"));
    std::this_thread::sleep_for(1100ms);  // longer than the time that the second signal leaves
    process.signal(SIGTERM);
  });
  CAPTURE(service->said());
  CHECK(service->says("x closed"));
  CHECK(service->says("clean"));
  CHECK(rows(*service) == std::vector<std::string>{"1"});
}

TEST_CASE("signals: a second one takes held connections back at once") {
  const auto service = closed_in_time("transaction", [](Process& process) {
    REQUIRE(process.says("holding"));
    process.signal(SIGTERM);
    process.signal(SIGINT);
  });
  CAPTURE(service->said());
  CHECK(service->says("x closed interrupted"));
  CHECK(rows(*service) == std::vector<std::string>{"1"});
}

TEST_CASE("signals: a second one waits for a closure that hangs no longer than a second, and the report names it") {
  Process service("closure");
  REQUIRE(service.says("ready"));
  REQUIRE(service.says("hanging"));
  service.signal(SIGTERM);
  service.signal(SIGINT);
  CHECK(service.ends_well());
  CAPTURE(service.said());
  CHECK(service.says("x open interrupted write"));
  CHECK(service.says("not clean"));
  CHECK(column(service.dir / "x.db", "SELECT x FROM t") == std::vector<std::string>{"1"});
}

TEST_CASE("signals: waiting for one can be cancelled, and leaves everything as it was") {
  SteppedApp app;
  const Pool pool = app.open("x");
  auto waiting = app.spawn(shutdown_on_signal(*app.state));
  app.settle();
  CHECK_FALSE(waiting.done());
  waiting.cancel(
      GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total));
  while (!waiting.done()) app.step_io();
  CHECK(waiting.code() == asio::error::operation_aborted);
  CHECK(app.run(pool.query_one<int>("SELECT 1")) == 1);
}

}  // namespace
}  // namespace statehouse::test
