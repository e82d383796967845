// A stop inside of an extension, which leaves a statement active, hits its operation and no other.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "leaving_table.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

struct Victims {
  LeavingTable table;
  SteppedApp app{options()};
  Pool pool = app.open();

  Victims() { app.run(pool.execute("CREATE TABLE t(a)")); }
  PoolOptions options() {
    PoolOptions result;
    result.readers = 1;
    result.connection.on_connect = [this](Connection& db, connection_role) { table.install(db.native().getHandle()); };
    return result;
  }
};

TEST_CASE_METHOD(Victims, "stops: in an extension's query or write inside of a shared commit hit only the victim") {
  const bool writes = GENERATE(false, true);
  std::optional<Task<void>> victim;
  const auto stop = [&] {
    victim->cancel();
    return SQLITE_INTERRUPT;
  };
  table.on_query = table.on_write = stop;
  const auto work = [&](Connection& db) {
    db.execute("INSERT INTO t VALUES (99)");
    writes ? void(db.execute("INSERT INTO leaving VALUES (1)"))
           : void(db.query_one<int>("SELECT count(*) FROM leaving"));
  };
  std::vector<Task<ExecuteResult>> innocent;
  for (int i = 0; i < 3; ++i) innocent.push_back(app.spawn(pool.execute("INSERT INTO t VALUES (?)", i)));
  victim = app.spawn(pool.write(work, {.group_commit = true}));
  for (int i = 3; i < 6; ++i) innocent.push_back(app.spawn(pool.execute("INSERT INTO t VALUES (?)", i)));
  app.settle();
  CHECK(victim->code() == boost::asio::error::operation_aborted);
  for (auto& one : innocent) CHECK(one.get().changes == 1);
  CHECK(app.run(pool.query_all<int>("SELECT a FROM t ORDER BY a")) == std::vector{0, 1, 2, 3, 4, 5});
  CHECK(pool.stats().writer.replaced == 0);
  CHECK(app.log.count("ROLLBACK failed") == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Victims, "stops: in an extension hit only the victim among reads that share a snapshot") {
  std::optional<Task<int>> victim;
  table.on_query = [&] {
    victim->cancel();
    return SQLITE_ERROR;
  };
  auto before = app.spawn(pool.query_one<int>("SELECT 1"));
  victim = app.spawn(pool.query_one<int>("SELECT count(*) FROM leaving"));
  auto after = app.spawn(pool.query_one<int>("SELECT 2"));
  app.settle();
  CHECK(victim->code() == boost::asio::error::operation_aborted);
  CHECK(before.get() == 1);
  CHECK(after.get() == 2);
  app.run(pool.execute("INSERT INTO t VALUES (1)"));
  CHECK(count(app, pool) == 1);  // no snapshot was left
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Victims, "stops: of a whole operation by run_timeout are told as such, whatever the extension says") {
  table.on_construction = [&] {
    app.clock->advance(2s);
    return SQLITE_ERROR;  // "vtable constructor failed"
  };
  CHECK(app.code(pool.query_one<int>({.run_timeout = 1s}, "SELECT count(*) FROM leaving")) == errc::deadline_exceeded);
  CHECK(app.code(pool.execute({.run_timeout = 1s}, "INSERT INTO t SELECT a FROM leaving")) == errc::deadline_exceeded);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Victims, "stops: by shutdown in an extension are told as such") {
  std::optional<Task<ShutdownReport>> shutdown;
  table.on_query = [&] {
    shutdown = app.start(app.state->shutdown({.grace = 0ms, .deadline = 1s}));
    while (app.step_io()) {
    }
    return SQLITE_ERROR;
  };
  auto victim = app.spawn(pool.query_one<int>("SELECT count(*) FROM leaving"));
  app.settle();
  CHECK(victim.code() == errc::closed);
  CHECK(shutdown->get().clean());
}

}  // namespace
}  // namespace statehouse::test
