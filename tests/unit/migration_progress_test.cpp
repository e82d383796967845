// What the log tells of migrations that take long, and how long they may take.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "error_of.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

/// The SQL function pass(seconds): lets that time pass while a statement runs.
void add_pass(Connection& db, const Fixture& fixture) {
  const auto pass = [](sqlite3_context* context, int, sqlite3_value** values) {
    static_cast<testing::ManualClock*>(sqlite3_user_data(context))
        ->advance(std::chrono::seconds(sqlite3_value_int(values[0])));
  };
  sqlite3_create_function_v2(session(db).handle().get(), "pass", 1, SQLITE_UTF8, fixture.clock.get(), pass, nullptr,
                             nullptr, nullptr);
}

std::vector<std::string> texts(const testing::LogCapture& log) {
  std::vector<std::string> result;
  for (const auto& line : log.lines()) result.push_back(to_string_view(line.level).data() + (": " + line.text));
  return result;
}

Migrator three() {
  const std::vector<EmbeddedFile> files{
      {"1_make.sql", "CREATE TABLE a(x)"},
      {"2_fill_it.sql", "SELECT pass(9); INSERT INTO a SELECT pass(16); SELECT pass(10)"},
      {"3_add_index.sql", "CREATE INDEX i ON a(x); SELECT pass(12)"}};
  return Migrator::from_files(files);
}

TEST_CASE("migrator: the log has a line per migration, and one every ten seconds while one runs") {
  const Fixture fixture;
  Connection db = fixture.open();
  add_pass(db, fixture);
  three().run(db);
  fixture.clock->advance(1h);  // nothing comes after the end
  CHECK(texts(fixture.log) ==
        std::vector<std::string>{"info: database 'test': migration 1 'make' applied in 0.0 ms (1/3)",
                                 "info: database 'test': migration 2 'fill it' still running after 10 s (2/3)",
                                 "info: database 'test': migration 2 'fill it' still running after 20 s (2/3)",
                                 "info: database 'test': migration 2 'fill it' still running after 30 s (2/3)",
                                 "info: database 'test': migration 2 'fill it' applied in 35000.0 ms (2/3)",
                                 "info: database 'test': migration 3 'add index' still running after 10 s (3/3)",
                                 "info: database 'test': migration 3 'add index' applied in 12000.0 ms (3/3)"});
  CHECK(fixture.clock->armed() == 0);
}

TEST_CASE("migrator: a failed migration leaves no timer, and there is none where nobody reads the log") {
  const Fixture fixture;
  Connection db = fixture.open();
  add_pass(db, fixture);
  const std::vector<EmbeddedFile> files{{"1_a.sql", "SELECT pass(10); nonsense"}};
  CHECK(code_of([&] { Migrator::from_files(files).run(db); }) == errc::migration_failed);
  CHECK(fixture.log.count("still running after 10 s") == 1);
  CHECK(fixture.clock->armed() == 0);

  fixture.log.logger()->set_level(spdlog::level::warn);
  const auto armed = [](sqlite3_context* context, int, sqlite3_value**) {
    sqlite3_result_int64(context,
                         sqlite3_int64(static_cast<testing::ManualClock*>(sqlite3_user_data(context))->armed()));
  };
  sqlite3_create_function_v2(session(db).handle().get(), "armed", 0, SQLITE_UTF8, fixture.clock.get(), armed, nullptr,
                             nullptr, nullptr);
  const std::vector<EmbeddedFile> silent{{"1_a.sql", "CREATE TABLE a AS SELECT armed() AS timers"}};
  Migrator::from_files(silent).run(db);
  CHECK(db.query_one<int>("SELECT timers FROM a") == 0);
}

TEST_CASE("migrator: the log tells of a migration that waits for another process's lock") {
  // migrating connection                        another program
  //                                             BEGIN IMMEDIATE
  // waits for the lock, a second per look
  //   at the clock; tells after 10 s
  //                                             COMMIT after 15 s
  // applies
  const testing::TempDir dir;
  Fixture fixture;
  fixture.path = dir / "x.db";
  fixture.options.busy_timeout = 60s;
  PlainDatabase other(fixture.path);
  Connection db = fixture.open();
  add_pass(db, fixture);
  const std::vector<EmbeddedFile> none;
  Migrator::from_files(none).run(db);
  other.execute("BEGIN IMMEDIATE");
  bool advancing = false;
  const auto locked_until = fixture.clock->now() + 15s;
  auto now = fixture.clock->now();
  fixture.clock->on_read([&](int) {
    if (std::exchange(advancing, true)) return;
    fixture.clock->advance(1s);
    now += 1s;
    if (now == locked_until) other.execute("COMMIT");
    advancing = false;
  });
  three().run_to(db, 1);
  fixture.clock->on_read({});
  CHECK(fixture.log.count("migration 1 'make' still running after 10 s (1/1)", spdlog::level::info) == 1);
  CHECK(fixture.log.count("migration 1 'make' applied") == 1);
}

TEST_CASE("migrator: a run that takes longer than its timeout ends; what is applied stays, the rest can go on later") {
  const Fixture fixture;
  Connection db = fixture.open();
  add_pass(db, fixture);
  const std::vector<EmbeddedFile> files{{"1_a.sql", "CREATE TABLE a(x); SELECT pass(20)"},
                                        {"2_b.sql", "CREATE TABLE b(x);\nSELECT pass(9);\nSELECT pass(1)"}};
  const auto migrator = Migrator::from_files(files);
  const auto error = error_of([&] { migrator.with_options({.timeout = 30s}).run(db); });
  INFO(error.what());
  CHECK(error.code() == errc::deadline_exceeded);
  CHECK(contains(error.what(), "migration 2 'b' (2_b.sql:3)"));
  CHECK(contains(error.what(), "rolled back as a whole"));
  CHECK(db.query_all<std::int64_t>("SELECT version FROM _sqlx_migrations") == std::vector<std::int64_t>{1});
  // The rest takes less, and the limit is for each run; the connection knows nothing of it any more.
  CHECK(migrator.with_options({.timeout = 30s}).run(db).versions == std::vector<std::int64_t>{2});
  fixture.clock->advance(1h);
  db.execute("INSERT INTO b VALUES (1)");
  CHECK(fixture.clock->armed() == 0);
}

TEST_CASE("migrator: the timeout of a run ends the wait for another process, also the first run's") {
  // migrating connection                        another program
  //                                             BEGIN IMMEDIATE
  // waits for the lock, a second per look
  //   at the clock; gives up after 5 s
  const bool first = GENERATE(true, false);
  CAPTURE(first);
  const testing::TempDir dir;
  Fixture fixture;
  fixture.path = dir / "x.db";
  fixture.options.busy_timeout = 60s;
  PlainDatabase other(fixture.path);
  Connection db = fixture.open();
  add_pass(db, fixture);
  const std::vector<EmbeddedFile> none;
  if (!first) Migrator::from_files(none).run(db);
  other.execute("BEGIN IMMEDIATE");
  const auto begin = fixture.clock->now();
  bool advancing = false;
  fixture.clock->on_read([&](int) {
    if (std::exchange(advancing, true)) return;
    fixture.clock->advance(1s);
    advancing = false;
  });
  CHECK(code_of([&] { three().with_options({.timeout = 5s}).run_to(db, 1); }) == errc::deadline_exceeded);
  fixture.clock->on_read({});
  CHECK(fixture.clock->now() - begin < 10s);
  other.execute("COMMIT");
  CHECK(three().run_to(db, 1).versions == std::vector<std::int64_t>{1});
}

TEST_CASE("migrator: a job's own deadline holds where it is earlier than the timeout of the run") {
  const Fixture fixture;
  Connection db = fixture.open();
  add_pass(db, fixture);
  session(db).interrupter().arm(fixture.clock->now() + 5s);
  CHECK(code_of([&] { three().with_options({.timeout = 30s}).run(db); }) == errc::deadline_exceeded);
  CHECK(fixture.log.count("migration 1 'make' applied") == 1);
  CHECK(fixture.log.count("still running") == 0);
  session(db).interrupter().disarm();
}

}  // namespace
}  // namespace statehouse::test
