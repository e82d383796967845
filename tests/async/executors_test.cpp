// One repository function for whatever runs statements: the concepts Executor, Database and their reading halves.

#include <catch2/catch_test_macros.hpp>

#include "async_fixture.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

static_assert(Executor<Pool> && Executor<const Pool> && Executor<Transaction> && Executor<WriterLease>);
static_assert(QueryExecutor<ReaderLease> && !Executor<ReaderLease>);
static_assert(Database<Connection> && QueryDatabase<Reader> && !Database<Reader>);
static_assert(!QueryExecutor<Connection> && !QueryDatabase<Pool> && !Executor<int> && !Database<int>);

struct Someone {
  std::int64_t id;
  std::string name;
};

// What an application writes once. GCC needs `template` before a verb of a type that is a parameter.

template <QueryExecutor Db>
asio::awaitable<std::vector<Someone>> people(Db& db) {
  co_return co_await db.template query_all<Someone>("SELECT id, name FROM person ORDER BY id");
}

template <Executor Db>
asio::awaitable<std::int64_t> add(Db& db, std::string name) {
  const auto ids = co_await db.template execute_returning<std::int64_t>(
      {.run_timeout = 1s}, "INSERT INTO person(name) VALUES (?) RETURNING id", name);
  co_await db.execute("UPDATE person SET name = upper(name) WHERE id = ?", ids.front());
  co_return ids.front();
}

template <QueryDatabase Db>
std::vector<Someone> people_now(Db& db) {
  return db.template query_all<Someone>("SELECT id, name FROM person ORDER BY id");
}

template <Database Db>
std::int64_t add_now(Db& db, const std::string& name) {
  const auto ids = db.template execute_returning<std::int64_t>(
      {.run_timeout = 1s}, "INSERT INTO person(name) VALUES (?) RETURNING id", name);
  db.execute("UPDATE person SET name = upper(name) WHERE id = ?", ids.front());
  return ids.front();
}

struct People {
  SteppedApp app;
  Pool pool = app.open();

  People() { app.run(pool.execute("CREATE TABLE person(id INTEGER PRIMARY KEY, name)")); }
  std::vector<std::string> names() {
    return app.run(pool.query_all<std::string>("SELECT name FROM person ORDER BY id"));
  }
};

TEST_CASE_METHOD(People, "Executor: one function serves a pool, a transaction and a lease") {
  app.run([&]() -> asio::awaitable<void> {
    co_await add(pool, "ada");
    auto transaction = co_await pool.begin();
    co_await add(transaction, "bob");
    const auto inside = co_await people(transaction);
    const auto outside = co_await people(pool);
    CHECK(inside.size() == 2);
    CHECK(outside.size() == 1);
    co_await std::move(transaction).rollback();
    auto lease = co_await pool.acquire(writer);
    co_await add(lease, "eve");
    auto looking = co_await pool.acquire(reader);
    const auto seen = co_await people(looking);
    CHECK(seen.size() == 2);
  });
  CHECK(names() == std::vector<std::string>{"ADA", "EVE"});
}

TEST_CASE_METHOD(People, "Database: one function serves the closures of a pool and a connection of its own") {
  app.run(pool.write([](Connection& db) { add_now(db, "ada"); }));
  CHECK(app.run(pool.read([](Reader& db) { return people_now(db).size(); })) == 1);
  CHECK(app.run(pool.write([](Connection& db) { return people_now(db).size(); })) == 1);
  CHECK(names() == std::vector<std::string>{"ADA"});

  Connection own(":memory:");
  own.execute("CREATE TABLE person(id INTEGER PRIMARY KEY, name)");
  CHECK(add_now(own, "bob") == 1);
  CHECK(people_now(own).front().name == "BOB");
}

}  // namespace
}  // namespace statehouse::test
