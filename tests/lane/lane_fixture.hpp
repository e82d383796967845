#pragma once

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <thread>

#include "engine/connection_access.hpp"
#include "fake_engine.hpp"
#include "lane/lane.hpp"
#include "statehouse/testing/log_capture.hpp"
#include "statehouse/testing/manual_clock.hpp"

namespace statehouse::test {

namespace asio = boost::asio;
namespace kinds = detail::kinds;
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

inline const boost::system::error_code aborted(ECANCELED, boost::system::system_category());

/// Somebody who has asked a lane for something, and what has come of it.
class Caller final : public detail::Operation {
 public:
  using Run = std::function<void(Connection&)>;

  Caller(const detail::Request& request, std::string text, Run run)
      : Operation(request), text_(std::move(text)), run_(std::move(run)) {}

  bool done() const noexcept { return completions == 1; }
  boost::system::error_code code() const {
    try {
      throw_if_failed();
    } catch (const boost::system::system_error& error) {
      return error.code();
    }
    return {};
  }
  std::string text() const {
    try {
      throw_if_failed();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }
  std::string_view sql() const noexcept override { return text_; }
  void settle(const ExecuteResult& result) noexcept override { settled = result; }

  int completions = 0;
  std::vector<std::int64_t> rows;  ///< Of a statement.
  detail::LeaseHandle lease;       ///< If it was to keep the connection.
  ExecuteResult settled;           ///< Of a statement that was sent ahead.

 private:
  void run(Connection& connection) override {
    run_ ? run_(connection) : void(rows = connection.query_all<std::int64_t>(text_));
  }

  const std::string text_;
  const Run run_;
};

/// A lane on the fake engine. Callers are told on `io`, operations run on `db`, time passes on `clock`; all three move
/// only when the test moves them.
struct LaneTest {
  using Kind = detail::Kind;

  explicit LaneTest(connection_role of = connection_role::writer, unsigned connections = 1, PoolOptions options = {},
                    bool remote = false)
      : role(of) {
    engine.remote = remote;
    engine.logger = log.logger();
    context.name = "test";
    this->options = std::move(options);
    context.options = &this->options;
    context.executor = detail::DatabaseExecutor(threads);
    context.clock = clock;
    context.logger = log.logger();
    context.generation = detail::fork_generation();
    context.due = [this](const detail::Session& writer) { return engine.due(writer); };
    context.before_next = [this](detail::Session& writer) { engine.before_next(writer, nullptr); };
    context.before_close = [this](detail::Session& writer) { engine.before_close(writer); };
    context.on_parked = [this] { ++parked; };
    context.wake = [this] { ++woken; };
    lane.emplace(context, role, connections, [this](const auto& interrupter) { return open(interrupter); });
    context.owner = owner;
    for (unsigned i = 0; i < connections; ++i) {
      auto stop = std::make_shared<detail::Interrupter>(clock);
      auto connection = open(stop);
      lane->add(std::move(connection), std::move(stop));
    }
  }
  ~LaneTest() {
    engine.scripts.clear();
    lane->close(std::make_exception_ptr(Error(errc::closed, "the test is over")));
    lane->interrupt();
    settle();
    lane->close_connections();
  }

  std::unique_ptr<Connection> open(const std::shared_ptr<detail::Interrupter>& interrupter) {
    return detail::ConnectionAccess::make(engine.open(role, interrupter));
  }
  /// A statement that writes.
  void writes(const std::string& text) { engine.scripts[text].writes = true; }

  detail::Request request(Kind kind, CallOptions options = {}) const {
    return {role, kind, operation_verb::execute, std::source_location::current(), options};
  }
  /// Who waits to be told on `io`.
  Caller& caller(const detail::Request& request, std::string text, Caller::Run run = {}) {
    Caller& one = callers.emplace_back(request, std::move(text), std::move(run));
    one.hold(asio::bind_executor(io.get_executor(), [&one] {
      ++one.completions;
      one.lease = one.take_lease();
    }));
    return one;
  }
  Caller& ask(std::string text, CallOptions options = {}) { return ask(kinds::statement, std::move(text), options); }
  Caller& ask(Kind kind, std::string text, CallOptions options = {}, Caller::Run run = {}) {
    Caller& one = caller(request(kind, options), std::move(text), std::move(run));
    lane->submit(one);
    return one;
  }
  /// A closure.
  Caller& call(Kind kind, Caller::Run run, CallOptions options = {}) { return ask(kind, "", options, std::move(run)); }
  Caller& begin() {
    return call(kinds::begin, [](Connection&) {});
  }
  Caller& acquire() {
    return call(kinds::acquire, [](Connection&) { FAIL("there is nothing to run"); });
  }
  /// On the lease that `holder` was given.
  Caller& ask_on(Caller& holder, Kind kind, std::string text, Caller::Run run = {}) {
    Caller& one = caller(request(kind), std::move(text), std::move(run));
    detail::submit(holder.lease.ref(), one);
    return one;
  }
  Caller& commit(Caller& holder) {
    return ask_on(holder, kinds::end, "", [](Connection& connection) { detail::session_of(connection).commit(); });
  }
  void cancel(Caller& one, asio::cancellation_type type = asio::cancellation_type::terminal) {
    lane->cancel(one, type);
  }

  static bool step(asio::io_context& on) {
    if (on.stopped()) on.restart();
    return on.poll_one() != 0;
  }
  bool step_db() { return step(db); }
  void run_callers() {
    while (step(io)) {
    }
  }
  void settle() {
    while (step(io) || step(db)) {
    }
  }
  /// `f()` on another thread than the one that runs an operation: a pool refuses calls from within its own.
  template <class F>
  static void elsewhere(F f) {
    std::jthread(std::move(f)).join();
  }
  /// Nobody waits, nothing runs, and the lane serves.
  void check_all_clean() {
    settle();
    for (const Caller& one : callers) CHECK(one.completions == 1);
    CHECK(lane->stats().in_use == 0);
    CHECK(lane->stats().waiting == 0);
    CHECK(lane->holders().empty());
    Caller& served = ask("is it served?");
    settle();
    CHECK(served.text() == "");
  }

  const connection_role role;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  testing::LogCapture log;
  FakeEngine engine;
  std::shared_ptr<int> owner = std::make_shared<int>();
  PoolOptions options;
  detail::LaneContext context;
  int parked = 0;
  int woken = 0;
  std::optional<detail::Lane> lane;
  std::deque<Caller> callers;
  asio::io_context db;
  detail::DatabaseExecutor::Target threads = std::make_shared<const asio::any_io_executor>(db.get_executor());
  asio::io_context io;
};

}  // namespace statehouse::test
