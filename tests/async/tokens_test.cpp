// What docs/tokens.md says of the verbs for those who do not await them in a coroutine of their own.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/experimental/promise.hpp>
#include <boost/asio/experimental/use_promise.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;
using IoStrand = asio::strand<asio::io_context::executor_type>;

/// A table `t(a)`.
struct Tokens {
  SqlHook hook;
  SteppedApp app{hook.in()};
  Pool pool = app.open();
  const asio::any_io_executor executor = app.io.get_executor();

  Tokens() { app.run(pool.execute("CREATE TABLE t(a UNIQUE)")); }
  std::vector<int> rows() { return app.run(pool.query_all<int>("SELECT a FROM t ORDER BY a")); }
};

template <class T>
bool is_ready(const std::future<T>& future) {
  return future.wait_for(0s) == std::future_status::ready;
}

TEST_CASE_METHOD(Tokens, "tokens: use_future has the result, or what was thrown") {
  auto done = asio::co_spawn(executor, pool.execute("INSERT INTO t VALUES (1)"), asio::use_future);
  CHECK(!is_ready(done));
  app.settle();
  CHECK(done.get().changes == 1);
  auto failed = asio::co_spawn(executor, pool.execute("INSERT INTO t VALUES (1)"), asio::use_future);
  app.settle();
  CHECK(code_of([&] { failed.get(); }) == condition::unique);
  auto opened = asio::co_spawn(executor, app.state->db_instances.get_pool("other"), asio::use_future);
  app.settle();
  CHECK(opened.get().name() == "other");
}

TEST_CASE_METHOD(Tokens, "tokens: a callback is called once, on its executor, never from within co_spawn") {
  int calls = 0;
  std::optional<int> found;
  asio::co_spawn(executor, pool.query_one<int>("SELECT 7"), [&](std::exception_ptr failure, int value) {
    ++calls;
    if (failure == nullptr) found = value;
  });
  CHECK(calls == 0);
  app.settle();
  CHECK(calls == 1);
  CHECK(found == 7);
  std::exception_ptr failure;
  auto look = [](Reader& db) { db.query_one<int>("SELECT 1 WHERE 0"); };
  asio::co_spawn(executor, pool.read(look), [&](std::exception_ptr error) { failure = error; });
  app.settle();
  CHECK(code_of([&] { std::rethrow_exception(failure); }) == errc::no_row);
}

TEST_CASE_METHOD(Tokens, "tokens: deferred begins when it is given a token, and not before") {
  auto insert = asio::co_spawn(executor, pool.execute("INSERT INTO t VALUES (1)"), asio::deferred);
  app.settle();
  CHECK(rows().empty());
  auto done = std::move(insert)(asio::use_future);
  app.settle();
  CHECK(done.get().changes == 1);
  { auto never = asio::co_spawn(executor, pool.execute("INSERT INTO t VALUES (2)"), asio::deferred); }
  app.settle();
  CHECK(rows() == std::vector{1});
}

TEST_CASE_METHOD(Tokens, "tokens: a parallel group of deferred ones lets each come to its own end") {
  const auto both = [&]() -> asio::awaitable<void> {
    auto good = asio::co_spawn(executor, pool.execute("INSERT INTO t VALUES (1)"), asio::deferred);
    auto bad = asio::co_spawn(executor, pool.execute("INSERT INTO nowhere VALUES (1)"), asio::deferred);
    auto group = asio::experimental::make_parallel_group(std::move(good), std::move(bad));
    auto [order, failure1, result1, failure2, result2] =
        co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    CHECK(failure1 == nullptr);
    CHECK(result1.changes == 1);
    CHECK(failure2 != nullptr);
  };
  app.run(both);
  CHECK(rows() == std::vector{1});
}

TEST_CASE_METHOD(Tokens, "tokens: && awaits two at once, and the first that fails cancels the other") {
  using namespace asio::experimental::awaitable_operators;
  const auto two = [&]() -> asio::awaitable<int> {
    auto [a, b] = co_await (pool.query_one<int>("SELECT 1") && pool.query_one<int>("SELECT 2"));
    co_return a + b;
  };
  CHECK(app.run(two) == 3);
  auto held = app.run(pool.acquire(writer));
  auto failing = app.spawn([&]() -> asio::awaitable<void> {
    co_await (pool.query_one<int>("SELECT a FROM nowhere") && pool.execute("INSERT INTO t VALUES (1)"));
  });
  app.settle();
  CHECK(failing.failed());
  held.release();
  app.settle();
  CHECK(rows().empty());
}

TEST_CASE_METHOD(Tokens, "tokens: as_tuple gives the failure as a value") {
  const auto both = [&]() -> asio::awaitable<void> {
    auto [none, result] = co_await asio::co_spawn(executor, pool.execute("INSERT INTO t VALUES (1)"),
                                                  asio::as_tuple(asio::use_awaitable));
    CHECK(none == nullptr);
    CHECK(result.changes == 1);
    auto [failure, nothing] = co_await asio::co_spawn(executor, pool.execute("INSERT INTO t VALUES (1)"),
                                                      asio::as_tuple(asio::use_awaitable));
    CHECK(code_of([&, error = failure] { std::rethrow_exception(error); }) == condition::unique);
    CHECK(nothing.changes == 0);
  };
  app.run(both);
}

TEST_CASE_METHOD(Tokens, "tokens: use_promise begins at once and is awaited later") {
  auto promise = asio::co_spawn(executor, pool.execute("INSERT INTO t VALUES (1)"), asio::experimental::use_promise);
  app.settle();
  CHECK(rows() == std::vector{1});
  const auto await_it = [&]() -> asio::awaitable<ExecuteResult> {
    // A value by itself: the failure is the first of the completion's arguments, and is thrown.
    co_return co_await std::move(promise)(asio::use_awaitable);
  };
  CHECK(app.run(await_it).changes == 1);
}

TEST_CASE_METHOD(Tokens, "tokens: a channel brings results from the coroutines that ask to the one that collects") {
  using Channel = asio::experimental::channel<void(boost::system::error_code, int)>;
  Channel channel(app.io, 2);
  const auto ask = [&](int id) -> asio::awaitable<void> {
    const int found = co_await pool.query_one<int>("SELECT ? * 10", id);
    co_await channel.async_send({}, found, asio::use_awaitable);
  };
  for (int id = 1; id <= 8; ++id)
    asio::co_spawn(executor, ask(id), [](std::exception_ptr error) { CHECK(error == nullptr); });
  const auto collect = [&]() -> asio::awaitable<int> {
    int sum = 0;
    for (int i = 0; i < 8; ++i) sum += co_await channel.async_receive(asio::use_awaitable);
    co_return sum;
  };
  CHECK(app.run(collect) == 360);
}

TEST_CASE_METHOD(Tokens, "tokens: callers on several contexts are each resumed on their own, and share what they can") {
  asio::io_context elsewhere;
  int here = 0;
  int there = 0;
  asio::co_spawn(executor, pool.query_one<int>("SELECT 1"), [&](std::exception_ptr, int value) { here = value; });
  asio::co_spawn(elsewhere, pool.query_one<int>("SELECT 2"), [&](std::exception_ptr, int value) { there = value; });
  elsewhere.poll();  // to the first suspension
  app.settle();
  CHECK(here == 1);
  CHECK(there == 0);
  elsewhere.restart();
  elsewhere.run();  // ends, as nothing is outstanding any more
  CHECK(there == 2);
}

TEST_CASE_METHOD(Tokens, "tokens: a callback that is bound to an executor is called on that one") {
  asio::io_context elsewhere;
  int found = 0;
  asio::co_spawn(executor, pool.query_one<int>("SELECT 7"),
                 asio::bind_executor(elsewhere, [&](std::exception_ptr, int value) { found = value; }));
  app.settle();
  CHECK(found == 0);
  elsewhere.run();
  CHECK(found == 7);
}

TEST_CASE_METHOD(Tokens, "tokens: a coroutine of a strand's own type awaits a verb by co_spawn, on that strand") {
  IoStrand strand(app.io.get_executor());
  bool on_strand = false;
  std::exception_ptr failure;
  const auto body = [&]() -> asio::awaitable<int, IoStrand> {
    const IoStrand mine = co_await asio::this_coro::executor;
    co_await asio::co_spawn(mine, pool.execute("INSERT INTO t VALUES (1)"), asio::use_awaitable_t<IoStrand>());
    const int found =
        co_await asio::co_spawn(mine, pool.query_one<int>("SELECT a FROM t"), asio::use_awaitable_t<IoStrand>());
    on_strand = mine.running_in_this_thread();
    co_await asio::co_spawn(mine, pool.execute("INSERT INTO t VALUES (1)"), asio::use_awaitable_t<IoStrand>());
    co_return found;
  };
  asio::co_spawn(strand, body(), [&](std::exception_ptr error, int) { failure = error; });
  app.settle();
  CHECK(on_strand);
  CHECK(code_of([&] { std::rethrow_exception(failure); }) == condition::unique);
  CHECK(rows() == std::vector{1});
}

TEST_CASE_METHOD(Tokens, "tokens: a cancellation slot stops what runs, and what has waited keeps nothing") {
  auto held = app.run(pool.acquire(writer));
  asio::cancellation_signal stop;
  std::exception_ptr failure;
  auto done = [&](std::exception_ptr error, ExecuteResult) { failure = error; };
  asio::co_spawn(executor, pool.execute("INSERT INTO t VALUES (1)"), asio::bind_cancellation_slot(stop.slot(), done));
  app.settle();
  stop.emit(asio::cancellation_type::terminal);
  app.settle();
  REQUIRE(failure != nullptr);
  CHECK(code_of([&] { std::rethrow_exception(failure); }) ==
        boost::system::error_code(ECANCELED, boost::system::system_category()));
  held.release();
  app.settle();
  CHECK(rows().empty());
}

}  // namespace
}  // namespace statehouse::test
