// What a service of many databases tells of itself: some by name, the rest summed up.
#include <catch2/generators/catch_generators.hpp>
#include <filesystem>
#include <sstream>

#include "state_support.hpp"
#include "statehouse/metrics.hpp"

namespace statehouse::test {
namespace {

using namespace std::string_literals;
namespace fs = std::filesystem;

/// Databases that fall asleep after two seconds, `d/1` and so on, each with a table that is written to.
struct ManyDatabases : SteppedApp {
  explicit ManyDatabases(std::size_t connections = 0) : SteppedApp(limited(connections)) {
    run(state->init());
    state->db_instances.add_migrator("d/*", migrations({"CREATE TABLE t(x)"}));
  }
  static AppStateOptions limited(std::size_t connections) {
    AppStateOptions options;
    options.pool.idle_close = 2s;
    options.max_open_connections = connections;
    return options;
  }
  void write(int database, int times) {
    const Pool pool = run(state->db_instances.get_pool("d/" + std::to_string(database)));
    for (int i = 0; i < times; ++i) run(pool.execute("INSERT INTO t VALUES (1)"));
  }
  void let_sleep() {
    for (int i = 0; i < 10; ++i) {
      clock->advance(1s);
      settle();
    }
    for (const DatabaseStats& each : state->db_instances.stats()) REQUIRE(each.state == database_state::asleep);
  }
  StatsSummary summary(std::size_t named = 2) const { return state->db_instances.stats_summary(named); }
  std::vector<std::string> names(const StatsSummary& summary) const {
    std::vector<std::string> result;
    for (const DatabaseStats& each : summary.databases) result.push_back(each.name);
    return result;
  }
};

TEST_CASE("stats_summary: as long as there is room for all, all are by name, and nothing is summed up") {
  ManyDatabases app;
  app.write(1, 1);
  app.write(2, 1);
  app.let_sleep();
  const auto summary = app.summary();
  CHECK(app.names(summary) == std::vector{"d/1"s, "d/2"s});
  CHECK(summary.others == 0);
  const std::string text = prometheus_text(summary);
  std::istringstream alone(prometheus_text(app.state->db_instances.stats()));
  for (std::string line; std::getline(alone, line);) CHECK(contains(text, line + "\n"));
  CHECK_FALSE(contains(text, "database=\"_other\""));
  CHECK(contains(text, "statehouse_connections_limit{}"));
  CHECK(contains(text, "statehouse_connections_acquired{} 0\n"));
  CHECK(contains(text, "statehouse_connection_waiters{} 0\n"));
}

TEST_CASE("stats_summary: of more than that the most active are by name and stay so, the rest is summed") {
  ManyDatabases app;
  for (int i = 1; i <= 4; ++i) app.write(i, i);
  const auto first = app.summary();
  CHECK(app.names(first) == std::vector{"d/3"s, "d/4"s});
  CHECK(first.others == 2);
  CHECK(first.other_states[static_cast<std::size_t>(database_state::ready)] == 2);
  CHECK(first.sum.name == "_other");
  CHECK(first.sum.writer.completed == 1 + 2);
  CHECK(first.sum.writer.connections == 2);
  CHECK(first.sum.migrations_applied == 2);
  CHECK(first.sum.file_bytes > 0);
  app.write(1, 100);
  const auto second = app.summary();
  CHECK(app.names(second) == app.names(first));
  CHECK(second.sum.writer.completed == 101 + 2);
}

TEST_CASE("stats_summary: the sum neither falls nor counts twice when databases sleep, wake and sleep again") {
  ManyDatabases app;
  std::uint64_t written = 0;
  for (int i = 1; i <= 5; ++i) app.write(i, 6 - i);
  std::uint64_t last = 0;
  const auto sum = [&] {
    const auto summary = app.summary(1);  // d/1
    CHECK(app.names(summary) == std::vector{"d/1"s});
    CHECK(summary.others == 4);
    CHECK(summary.sum.writer.completed >= last);
    last = summary.sum.writer.completed;
    std::uint64_t runs = 0;
    for (const auto& verb : summary.sum.writer.runs) runs += verb.count();
    CHECK(runs == last);
    return last;
  };
  const std::uint64_t begun = sum();
  CHECK(begun == 4 + 3 + 2 + 1);
  const bool looked_at_while_asleep = GENERATE(true, false);
  for (int round = 0; round < 3; ++round) {
    app.let_sleep();
    if (looked_at_while_asleep) {
      const auto asleep = sum();
      CHECK(sum() == asleep);
    }
    app.write(2 + round, 10);
    written += 10;
    if (looked_at_while_asleep) sum();
    app.write(2 + round, 5);
    written += 5;
  }
  app.let_sleep();
  // What the pools do by themselves is counted, too: it is what the databases say.
  std::uint64_t said = 0;
  for (const DatabaseStats& each : app.state->db_instances.stats())
    if (each.name != "d/1") said += each.writer.completed;
  CHECK(sum() == said);
  CHECK(said >= begun + written);
}

TEST_CASE("stats_summary: a sleeping database is not asked again") {
  ManyDatabases app;
  for (int i = 1; i <= 3; ++i) app.write(i, 4 - i);
  app.let_sleep();
  const auto first = app.summary(1);
  CHECK(first.others == 3);  // none was seen awake
  CHECK(first.other_states[static_cast<std::size_t>(database_state::asleep)] == 3);
  CHECK(first.sum.file_bytes == 0);
  const auto second = app.summary(1);
  CHECK(second.sum.writer.completed == first.sum.writer.completed);
  CHECK(second.other_states == first.other_states);
}

// d/1        d/2                           summary
// all of it  asleep                        all that d/2 has counted is settled
//            somebody wants it, in vain
//                                          that is in the sum, too
TEST_CASE("stats_summary: who has waited in vain for a sleeping database is in the sum") {
  ManyDatabases app(1);
  app.write(2, 1);
  app.write(1, 2);
  app.let_sleep();
  const auto failures = [](const DatabaseStats& stats) {
    std::uint64_t count = stats.writer.acquire_timeouts;
    for (const ErrorCount& each : stats.writer.errors) count += each.count;
    return count;
  };
  REQUIRE(failures(app.summary(1).sum) == 0);
  const Pool pool = app.run(app.state->db_instances.get_pool("d/2"));
  SECTION("as there was no connection for it") {
    const auto held = app.run(app.run(app.state->db_instances.get_pool("d/1")).begin());
    auto waits = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
    app.settle();
    app.clock->advance(3s);
    app.settle();
    REQUIRE(waits.code() == errc::acquire_timeout);
  }
  SECTION("as it could not be opened") {
    const auto file = app.dir / "d/2.db";
    fs::rename(file, app.dir / "d/2.away");
    auto waits = app.spawn(pool.execute("INSERT INTO t VALUES (1)"));
    app.settle();
    REQUIRE(waits.failed());
    fs::rename(app.dir / "d/2.away", file);
  }
  CHECK(failures(pool.stats()) > 0);
  CHECK(failures(app.summary(1).sum) == failures(pool.stats()));
  app.let_sleep();
  CHECK(failures(app.summary(1).sum) == failures(pool.stats()));
}

TEST_CASE("stats_summary: one that comes to be shown by name leaves what it has counted in the sum") {
  ManyDatabases app;
  for (int i = 1; i <= 3; ++i) app.write(i, 10);
  app.let_sleep();
  const auto before = app.summary(1);  // none is awake: none by name
  CHECK(before.databases.empty());
  app.write(2, 5);
  const auto after = app.summary(1);
  CHECK(app.names(after) == std::vector{"d/2"s});
  CHECK(after.others == 2);
  CHECK(after.sum.writer.completed == before.sum.writer.completed + 5);
  CHECK(after.databases.at(0).writer.completed >= 15);
  app.write(2, 5);
  CHECK(app.summary(1).sum.writer.completed == after.sum.writer.completed);
  app.write(1, 5);
  CHECK(app.summary(1).sum.writer.completed == after.sum.writer.completed + 5);
}

TEST_CASE("stats_summary: one that was summed up awake, and is shown by name then, does not make the sum fall") {
  ManyDatabases app;
  for (int i = 1; i <= 3; ++i) app.write(i, 10 * i);
  const auto none_by_name = app.summary(0);
  CHECK(none_by_name.sum.writer.completed == 60);
  const auto after = app.summary(1);
  CHECK(app.names(after) == std::vector{"d/3"s});
  CHECK(after.sum.writer.completed == 60);
  app.write(1, 1);
  CHECK(app.summary(1).sum.writer.completed == 61);
}

TEST_CASE("stats_summary: names that were only mentioned, or are brought up to date, are in no sum") {
  ManyDatabases app;
  app.state->db_instances.configure("d/9", PoolOptions());
  app.write(1, 1);
  app.write(2, 1);
  const auto summary = app.summary(1);
  CHECK(summary.databases.size() == 1);
  CHECK(summary.others == 1);
}

TEST_CASE("metrics: what is summed up is _other, with the number of databases in each state") {
  ManyDatabases app;
  for (int i = 1; i <= 3; ++i) app.write(i, i);
  const std::string text = prometheus_text(app.summary(1));
  const auto has = [&](const std::string& line) { return contains(text, '\n' + line + '\n'); };
  CHECK(has(R"(statehouse_database_state{database="d/3",state="ready"} 1)"));
  CHECK(has(R"(statehouse_database_state{database="_other",state="ready"} 2)"));
  CHECK(has(R"(statehouse_database_state{database="_other",state="failed"} 0)"));
  CHECK(has(R"(statehouse_operations_total{database="_other",lane="writer",outcome="ok"} 3)"));
  CHECK(has(R"(statehouse_migrations_applied_total{database="_other"} 2)"));
  CHECK_FALSE(contains(text, R"(statehouse_open_seconds{database="_other"})"));
  CHECK_FALSE(contains(text, R"(statehouse_schema_version{database="_other"})"));
  CHECK_FALSE(contains(text, R"(database="d/1")"));
}

TEST_CASE("health: of more than 100 databases only those that are not well are listed, and all count") {
  SteppedApp app;
  app.run(app.state->init());
  DbInstances& databases = app.state->db_instances;
  PoolOptions in_memory;
  in_memory.in_memory = true;
  databases.configure("m/*", in_memory);
  for (int i = 1; i <= 100; ++i) app.run(databases.get_pool("m/" + std::to_string(i)));
  CHECK(databases.health().databases.size() == 100);
  CHECK(databases.health().well == 0);
  app.run(databases.get_pool("m/101"));
  CHECK(databases.health().databases.empty());
  CHECK(databases.health().well == 101);
  CHECK(databases.health().ready());
  write_file(app.dir / "bad.db", std::string(5000, 'x'));
  CHECK(app.ended(databases.get_pool("bad")).failed());
  const Health health = databases.health();
  REQUIRE(health.databases.size() == 1);
  CHECK(health.databases.at(0).name == "bad");
  CHECK(health.well == 101);
  CHECK_FALSE(health.ready());
}

}  // namespace
}  // namespace statehouse::test
