// Handles without a pool behind them, and what only works because there are such: futures.

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <optional>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

struct Handles {
  SteppedApp app;
  Pool pool = app.open();

  /// As from a thread that may block, which here would wait for itself.
  template <class T>
  T through_future(asio::awaitable<T> operation) {
    auto future = asio::co_spawn(app.io, std::move(operation), asio::use_future);
    app.settle();
    REQUIRE(future.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
    return future.get();
  }

  /// The verbs that a pool, a transaction and a lease on the writer have in common.
  template <class Handle>
  void check_statements_refused(const Handle& handle, errc expected) {
    CHECK(app.code(handle.execute("DELETE FROM t")) == expected);
    CHECK(app.code(handle.template execute_returning<int>("DELETE FROM t RETURNING a")) == expected);
    CHECK(app.code(handle.template query_all<int>("SELECT 1")) == expected);
    CHECK(app.code(handle.template query_optional<int>("SELECT 1")) == expected);
    CHECK(app.code(handle.template query_one<int>("SELECT 1")) == expected);
  }
  void check_refused(const Pool& empty) {
    check_statements_refused(empty, errc::invalid_handle);
    CHECK(app.code(empty.query_one<int>({.inline_read = true}, "SELECT 1")) == errc::invalid_handle);
    CHECK(app.code(empty.read([](Reader&) {})) == errc::invalid_handle);
    CHECK(app.code(empty.write([](Connection&) {})) == errc::invalid_handle);
    CHECK(app.code(empty.write_without_transaction([](Connection&) {})) == errc::invalid_handle);
    CHECK(app.code(empty.begin()) == errc::invalid_handle);
    CHECK(app.code(empty.acquire(reader)) == errc::invalid_handle);
    CHECK(app.code(empty.acquire(writer)) == errc::invalid_handle);
    CHECK(code_of([&] { static_cast<void>(empty.stats()); }) == errc::invalid_handle);
    CHECK(code_of([&] { static_cast<void>(empty.name()); }) == errc::invalid_handle);
    CHECK(code_of([&] { static_cast<void>(empty.path()); }) == errc::invalid_handle);
  }
};

TEST_CASE_METHOD(Handles, "empty handle: every member of a default-constructed pool is errc::invalid_handle") {
  check_refused(Pool());
  CHECK(contains(app.ended(Pool().execute("DELETE FROM t")).text(), "execute on an empty pool handle"));
}

TEST_CASE_METHOD(Handles, "empty handle: a pool that was moved from is one, and can be assigned to") {
  Pool other = pool;
  const Pool kept = std::move(other);
  check_refused(other);  // NOLINT(bugprone-use-after-move)
  other = kept;
  CHECK(app.run(other.query_one<int>("SELECT 1")) == 1);
}

TEST_CASE_METHOD(Handles, "empty handle: a default-constructed transaction or lease is errc::invalid_handle") {
  Transaction transaction;
  check_statements_refused(transaction, errc::invalid_handle);
  CHECK(app.code(transaction.savepoint([](Connection&) {})) == errc::invalid_handle);
  CHECK(app.code(std::move(transaction).commit()) == errc::invalid_handle);
  CHECK(app.code(Transaction().rollback()) == errc::invalid_handle);

  WriterLease writing;
  writing.release();
  check_statements_refused(writing, errc::invalid_handle);
  CHECK(app.code(writing.read([](Reader&) {})) == errc::invalid_handle);
  CHECK(app.code(writing.write([](Connection&) {})) == errc::invalid_handle);
  ReaderLease reading;
  CHECK(app.code(reading.query_one<int>("SELECT 1")) == errc::invalid_handle);
  CHECK(app.code(reading.read([](Reader&) {})) == errc::invalid_handle);
}

TEST_CASE_METHOD(Handles, "empty handle: a finished transaction and a released lease are told apart from it") {
  Transaction transaction;
  transaction = app.run(pool.begin());
  app.run(std::move(transaction).commit());
  check_statements_refused(transaction, errc::transaction_finished);  // NOLINT(bugprone-use-after-move)
  WriterLease lease;
  lease = app.run(pool.acquire(writer));
  lease.release();
  check_statements_refused(lease, errc::transaction_finished);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Handles, "futures: whatever gives a handle can be spawned with use_future") {
  Pool opened = through_future(app.state->db_instances.get_pool("other"));
  CHECK(opened.name() == "other");
  through_future(opened.execute("CREATE TABLE t(a)"));
  Transaction transaction = through_future(opened.begin());
  through_future(transaction.execute("INSERT INTO t VALUES (1)"));
  through_future(std::move(transaction).commit());
  ReaderLease reading = through_future(opened.acquire(reader));
  CHECK(through_future(reading.query_one<int>("SELECT a FROM t")) == 1);
  WriterLease writing = through_future(opened.acquire(writer));
  CHECK(through_future(writing.execute("DELETE FROM t")).changes == 1);
  CHECK(code_of([&] { through_future(Pool().begin()); }) == errc::invalid_handle);
}

TEST_CASE_METHOD(Handles, "operators: whatever gives a handle can be awaited together with others") {
  using namespace asio::experimental::awaitable_operators;
  auto together = [&]() -> asio::awaitable<void> {
    auto [reading, other] = co_await (pool.acquire(reader) && app.state->db_instances.get_pool("other"));
    const int one = co_await reading.query_one<int>("SELECT 1");
    CHECK(one == 1);
    CHECK(other.name() == "other");
    auto first = co_await (pool.begin() || pool.acquire(reader));
    CHECK(first.index() <= 1);
  };
  app.run(together);
  app.settle();
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Handles, "callbacks: whatever gives a handle can be spawned with one") {
  std::optional<Pool> opened;
  asio::co_spawn(app.io, app.state->db_instances.get_pool("other"), [&](const std::exception_ptr& error, Pool result) {
    CHECK(error == nullptr);
    opened = std::move(result);
  });
  app.settle();
  REQUIRE(opened.has_value());
  CHECK(opened->name() == "other");
  bool failed = false;
  asio::co_spawn(app.io, Pool().begin(),
                 [&](const std::exception_ptr& error, const Transaction&) { failed = error != nullptr; });
  app.settle();
  CHECK(failed);
}

}  // namespace
}  // namespace statehouse::test
