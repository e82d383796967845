#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "error_of.hpp"
#include "files.hpp"
#include "migrator_of.hpp"
#include "plain_database.hpp"
#include "statehouse/testing/rolled_back.hpp"
#include "statehouse/testing/test_app.hpp"

using namespace statehouse;
using namespace statehouse::testing;
using statehouse::test::contains;

namespace {

/// Two migrations and a row.
const DatabaseTemplate& notes() {
  static const DatabaseTemplate made(
      test::migrations({"CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL)", "CREATE TABLE tag(name)"}),
      [](Connection& connection) { connection.execute("INSERT INTO note(text) VALUES ('first')"); });
  return made;
}

template <QueryExecutor E>
asio::awaitable<std::vector<std::string>> texts(E& db) {
  co_return co_await db.template query_all<std::string>("SELECT text FROM note ORDER BY id");
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("test kit: a database is a copy of its template, as files and in memory, and has nothing pending") {
  for (const bool in_memory : {false, true}) {
    CAPTURE(in_memory);
    AppStateOptions options;
    options.pool.in_memory = in_memory;
    std::atomic<int> connected = 0;
    options.pool.connection.on_connect = [&](Connection&, connection_role) { ++connected; };
    TestApp app(std::move(options));
    Pool pool = app.open("notes", notes());
    Pool other = app.open("other", notes());
    CHECK(app.run(texts(pool)) == Texts{"first"});
    app.run(pool.execute("INSERT INTO note(text) VALUES ('second')"));
    CHECK(app.run(texts(pool)) == Texts{"first", "second"});
    app.run(pool.write([](Connection& db) { db.native(); }));  // after which the connection is opened anew
    CHECK(app.run(texts(pool)) == Texts{"first", "second"});
    CHECK(app.run(texts(other)) == Texts{"first"});
    CHECK(app.log.count("applied") == 0);
    CHECK(app.log.count("migration", spdlog::level::warn) == 0);
    CHECK(connected >= 2);
    CHECK(std::filesystem::exists(app.dir / "notes.db") == !in_memory);
    if (!in_memory) CHECK(test::mode_of(app.dir / "notes.db") == 0600);
    const auto version = app.run(pool.query_one<std::int64_t>("SELECT max(version) FROM _sqlx_migrations"));
    CHECK(version == 2);
  }
}

TEST_CASE("test kit: a template gives connections in memory that do not know of each other, and new files only") {
  Connection one = notes().in_memory();
  Connection other = notes().in_memory("other");
  one.execute("DELETE FROM note");
  one.execute_script("CREATE TABLE big(x); INSERT INTO big VALUES (zeroblob(1000000))");
  CHECK(one.query_one<int>("SELECT count(*) FROM note") == 0);
  CHECK(other.query_one<int>("SELECT count(*) FROM note") == 1);
  CHECK(notes().migrator().plan(other).empty());

  const TempDir directory;
  notes().copy_to(directory / "a.db");
  CHECK(test::PlainDatabase(directory / "a.db").text("PRAGMA integrity_check") == "ok");
  CHECK_THROWS_AS(notes().copy_to(directory / "a.db"), std::system_error);

  const DatabaseTemplate empty(Migrator::from_files({}));
  CHECK(empty.in_memory().query_one<int>("SELECT count(*) FROM sqlite_schema WHERE name = 'note'") == 0);
}

TEST_CASE("test kit: what is done in a transaction that is rolled back is undone, however it ends") {
  TestApp app;
  Pool pool = app.open("notes", notes());
  const auto add = [](Transaction& transaction) -> asio::awaitable<Texts> {
    co_await transaction.execute("INSERT INTO note(text) VALUES ('second')");
    co_return co_await texts(transaction);
  };
  CHECK(app.run(rolled_back(pool, add)) == Texts{"first", "second"});
  CHECK(app.run(texts(pool)) == Texts{"first"});
  const auto clear = [](Transaction& transaction) -> asio::awaitable<void> {
    co_await transaction.execute("DELETE FROM note");
  };
  app.run(rolled_back(pool, clear));
  CHECK(app.run(texts(pool)) == Texts{"first"});
  const auto fail = [](Transaction& transaction) -> asio::awaitable<void> {
    co_await transaction.execute("DELETE FROM note");
    throw std::runtime_error("as it should");
  };
  CHECK_THROWS_AS(app.run(rolled_back(pool, fail)), std::runtime_error);
  CHECK(app.run(texts(pool)) == Texts{"first"});

  Connection connection = notes().in_memory();
  const auto count = [&] { return connection.query_one<int>("SELECT count(*) FROM note"); };
  const int outer = rolled_back(connection, [&] {
    connection.execute("DELETE FROM note");
    rolled_back(connection, [&] { connection.execute("INSERT INTO note(text) VALUES ('second')"); });
    return count();
  });
  CHECK(outer == 0);
  CHECK(count() == 1);
}

TEST_CASE("test kit: the directory of a test goes with it, unless an exception ends it or it is to be kept") {
  std::filesystem::path gone, failed, kept;
  {
    TestApp app;
    gone = app.dir.path();
  }
  CHECK_FALSE(std::filesystem::exists(gone));
  try {
    TestApp app;
    failed = app.dir.path();
    app.open("notes", notes());
    throw std::runtime_error("as a failed assertion");
  } catch (const std::runtime_error&) {
  }
  CHECK(test::PlainDatabase(failed / "notes.db").text("SELECT text FROM note") == "first");
  {
    TestApp app;
    app.keep();
    kept = app.dir.path();
  }
  CHECK(std::filesystem::exists(kept));
  std::filesystem::remove_all(failed);
  std::filesystem::remove_all(kept);
}
