// Pool verbs called from inside a closure that runs on a connection.

#include <boost/asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <thread>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

boost::system::error_code code_of_future(std::future<void> future) {
  try {
    future.get();
  } catch (const boost::system::system_error& error) {
    return error.code();
  }
  return {};
}

struct Reentrancy {
  SteppedApp app;
  Pool pool = app.open("mine");
  Pool other = app.run(app.state->db_instances.get_pool("other"));

  Reentrancy() {
    app.run(pool.execute("CREATE TABLE t(a)"));
    app.run(other.execute("CREATE TABLE t(a)"));
  }

  /// Calls the verb here and now, and waits for it as a closure would that does not know better.
  template <class T>
  boost::system::error_code call(asio::awaitable<T> operation) {
    auto ignore = [](asio::awaitable<T> work) -> asio::awaitable<void> { co_await std::move(work); };
    auto future = asio::co_spawn(app.io, ignore(std::move(operation)), asio::use_future);
    for (int steps = 0; future.wait_for(0s) != std::future_status::ready; ++steps)
      if (steps == 1000 || !(app.step_io() || app.step_db())) return errc::acquire_timeout;  // would wait for ever
    return code_of_future(std::move(future));
  }

  std::vector<boost::system::error_code> call_every_verb(const Pool& target) {
    return {call(target.execute("INSERT INTO t VALUES (1)")),
            call(target.execute_returning<int>("INSERT INTO t VALUES (1) RETURNING a")),
            call(target.execute_many("INSERT INTO t VALUES (?)", std::vector{1})),
            call(target.query_all<int>("SELECT 1")),
            call(target.query_optional<int>("SELECT 1")),
            call(target.query_one<int>("SELECT 1")),
            call(target.read([](Reader&) {})),
            call(target.write([](Connection&) {})),
            call(target.write_without_transaction([](Connection&) {})),
            call(target.begin()),
            call(target.acquire(reader)),
            call(target.acquire(writer))};
  }
};

TEST_CASE_METHOD(Reentrancy,
                 "closures: every verb of the same pool is would_deadlock at once, whatever the closure holds") {
  const std::vector<boost::system::error_code> expected(12, make_error_code(errc::would_deadlock));
  const auto in_reader = [&](Reader&) { return call_every_verb(pool); };
  const auto in_writer = [&](Connection&) { return call_every_verb(pool); };
  CHECK(app.run(pool.read(in_reader)) == expected);
  CHECK(app.run(pool.write(in_writer)) == expected);
  CHECK(app.run(pool.write_without_transaction(in_writer)) == expected);
  auto transaction = app.run(pool.begin());
  CHECK(app.run(transaction.savepoint(in_writer)) == expected);
  app.run(std::move(transaction).rollback());
  auto writing = app.run(pool.acquire(writer));
  CHECK(app.run(writing.write(in_writer)) == expected);
  CHECK(app.run(writing.read(in_reader)) == expected);
  writing.release();
  auto reading = app.run(pool.acquire(reader));
  CHECK(app.run(reading.read(in_reader)) == expected);
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 0);
  // Once the closure is over the same thread may call again.
  CHECK(call(pool.execute("INSERT INTO t VALUES (1)")) == boost::system::error_code());
}

TEST_CASE_METHOD(Reentrancy, "closures: a held connection of the same pool is would_deadlock too") {
  auto transaction = app.run(pool.begin());
  auto reading = app.run(pool.acquire(reader));
  const auto uses_held = [&](Reader&) {
    return std::vector{call(reading.query_one<int>("SELECT 1")), call(transaction.execute("INSERT INTO t VALUES (1)"))};
  };
  CHECK(app.run(pool.read(uses_held)) == std::vector(2, make_error_code(errc::would_deadlock)));
  const auto uses_itself = [&](Connection&) { return call(transaction.execute("INSERT INTO t VALUES (1)")); };
  CHECK(app.run(transaction.savepoint(uses_itself)) == errc::would_deadlock);
  app.run(std::move(transaction).commit());
  CHECK(app.run(pool.query_one<int>("SELECT count(*) FROM t")) == 0);
}

TEST_CASE_METHOD(Reentrancy, "closures: the connection they are given does what the verb would") {
  const auto nested = [](Connection& db) {
    db.execute("INSERT INTO t VALUES (1)");
    return db.query_one<int>("SELECT count(*) FROM t");
  };
  CHECK(app.run(pool.write(nested)) == 1);
}

TEST_CASE_METHOD(Reentrancy, "closures: an exception out of one does not leave the thread marked") {
  auto task = app.spawn(pool.write([](Connection&) { throw 1; }));
  app.settle();
  CHECK_THROWS_AS(task.get(), int);
  CHECK(call(pool.execute("INSERT INTO t VALUES (1)")) == boost::system::error_code());
}

TEST_CASE("closures: a closure may wait for another pool, on real threads, but not for its own") {
  //   io thread                    database thread 1                         database thread 2
  //   write on `mine`
  //                                closure: execute on `mine`, get()
  //                                  would_deadlock
  //                                closure: execute on `other`, get()...
  //                                                                          INSERT
  //                                ...done
  testing::TempDir dir;
  testing::LogCapture log;
  asio::io_context io;
  AppStateOptions options;
  options.data_dir = dir.path();
  options.database_threads = 2;
  options.logger = log.logger();
  AppState state(io.get_executor(), options);
  const auto guard = asio::make_work_guard(io);
  std::thread caller([&] { io.run(); });
  const auto on_io = [&](auto work) { return asio::co_spawn(io, std::move(work), asio::use_future).get(); };
  on_io(state.init());
  on_io([&]() -> asio::awaitable<void> {
    co_await state.db_instances.get_pool("mine");
    co_await state.db_instances.get_pool("other");
  });
  const Pool mine = state.db_instances.try_get_pool("mine").value();
  const Pool other = state.db_instances.try_get_pool("other").value();
  on_io(other.execute("CREATE TABLE t(a)"));
  boost::system::error_code same_pool;
  // The exception stays on the thread of `io`: ThreadSanitizer does not see how libstdc++ counts who still has it.
  const auto code_of = [](asio::awaitable<int> query) -> asio::awaitable<boost::system::error_code> {
    try {
      co_await std::move(query);
      co_return boost::system::error_code();
    } catch (const Error& error) {
      co_return error.code();
    }
  };
  const auto closure = [&](Connection&) {
    same_pool = on_io(code_of(mine.query_one<int>("SELECT 1")));
    return on_io(other.execute("INSERT INTO t VALUES (1)")).changes;
  };
  CHECK(on_io(mine.write(closure)) == 1);
  CHECK(same_pool == errc::would_deadlock);
  on_io(state.shutdown());
  io.stop();
  caller.join();
}

}  // namespace
}  // namespace statehouse::test
