// A statement whose result cannot be given leaves nothing behind, on every way to the writer.

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "async_fixture.hpp"
#include "error_of.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

constexpr const char* unreadable = "INSERT INTO t VALUES (1), ('x'), (3) RETURNING v";

struct UndoneResults {
  SteppedApp app;
  Pool pool = app.open();

  UndoneResults() { app.run(pool.execute("CREATE TABLE t(v)")); }
  std::vector<std::string> kept() { return app.run(pool.query_all<std::string>("SELECT v FROM t")); }
};

TEST_CASE_METHOD(UndoneResults, "undone result: a transaction that goes on commits without the statement") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute("INSERT INTO t VALUES ('before')"));
  CHECK(app.code(transaction.execute_returning<int>(unreadable)) == errc::column_type);
  CHECK(app.code(transaction.query_all<int>(unreadable)) == errc::column_type);
  CHECK(app.code(transaction.query_one<std::string>("UPDATE t SET v = 'y' RETURNING NULL")) == errc::unexpected_null);
  auto nested = [](Connection& db) {
    CHECK(code_of([&] { db.execute_returning<int>(unreadable); }) == errc::column_type);
    db.execute("INSERT INTO t VALUES ('nested')");
  };
  app.run(transaction.savepoint(nested));
  app.run(std::move(transaction).commit());
  CHECK(kept() == std::vector<std::string>{"before", "nested"});
}

TEST_CASE_METHOD(UndoneResults,
                 "undone result: a closure that goes on commits without the statement, alone or grouped") {
  auto closure = [](Connection& db) {
    db.execute("INSERT INTO t VALUES ('before')");
    CHECK(code_of([&] { db.execute_returning<int>(unreadable); }) == errc::column_type);
    db.execute("INSERT INTO t VALUES ('after')");
  };
  app.run(pool.write(closure));
  std::vector<Task<void>> grouped;
  for (int i = 0; i < 2; ++i) grouped.push_back(app.spawn(pool.write(closure, {.group_commit = true})));
  app.settle();
  for (auto& task : grouped) task.get();
  CHECK(kept() == std::vector<std::string>{"before", "after", "before", "after", "before", "after"});
}

TEST_CASE_METHOD(UndoneResults, "undone result: statements of a pool and of a lease undo themselves") {
  CHECK(app.code(pool.execute_returning<int>(unreadable)) == errc::column_type);
  auto lease = app.run(pool.acquire(writer));
  CHECK(app.code(lease.execute_returning<int>(unreadable)) == errc::column_type);
  lease.release();
  CHECK(kept().empty());
}

}  // namespace
}  // namespace statehouse::test
