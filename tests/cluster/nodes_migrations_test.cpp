#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "child_process.hpp"
#include "cluster_leader.hpp"
#include "long_form.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

AppStateOptions migrating(const ClusterFixture& cluster) {
  AppStateOptions options;
  options.pool.readers = 1;
  options.pool.connection.busy_timeout = patience;
  options.pool.cluster.nodes = cluster.addresses();
  options.pool.cluster.dial_timeout = patience;
  options.pool.cluster.find_leader = patience;
  return options;
}

Migrator three_steps() {
  return migrations(
      {"CREATE TABLE a(id INTEGER PRIMARY KEY, done TEXT);\n"
       "CREATE TABLE log(what TEXT);\n"
       "CREATE TRIGGER noted AFTER INSERT ON a BEGIN INSERT INTO log VALUES ('in; out'); SELECT 1; END;\n"
       "INSERT INTO a VALUES (1, 'x')",
       "CREATE TABLE b(a INTEGER REFERENCES a ON DELETE CASCADE); INSERT INTO b VALUES (1);",
       // A rebuild, whose foreign keys are off meanwhile.
       "CREATE TABLE new_a(id INTEGER PRIMARY KEY, done TEXT NOT NULL); INSERT INTO new_a SELECT * FROM a;\n"
       "DROP TABLE a; ALTER TABLE new_a RENAME TO a;"});
}

/// Opens and migrates, and says what is there.
std::string migrated(ThreadedApp& app, Migrator migrator = three_steps()) {
  app.state->db_instances.add_migrator("test", std::move(migrator));
  Pool pool = app.open();
  const auto count = [&](std::string sql) { return std::to_string(app.run(pool.query_one<int>(sql))) + ' '; };
  return count("SELECT count(*) FROM _sqlx_migrations") + count("SELECT count(*) FROM a") +
         count("SELECT count(*) FROM b") + count("SELECT count(*) FROM log") + count("PRAGMA foreign_keys");
}

std::string migrated(const AppStateOptions& options) {
  ThreadedApp app(options);
  return migrated(app);
}

/// Real time, and a call for each look at it: there are some around every request to a node.
class WatchedClock final : public Clock {
 public:
  explicit WatchedClock(std::function<void(int)> look) : look_(std::move(look)) {}

  time_point now() const noexcept override {
    look_(++looks_);
    return real_->now();
  }
  std::unique_ptr<Timer> make_timer(std::function<void()> callback) override {
    return real_->make_timer(std::move(callback));
  }
  int looks() const noexcept { return looks_; }

 private:
  const std::shared_ptr<Clock> real_ = make_steady_clock();
  const std::function<void(int)> look_;
  mutable std::atomic<int> looks_{0};
};

TEST_CASE("cluster: a leader that dies at any moment of the migrations leaves each applied once, and wholly") {
  ClusterFixture cluster;
  AppStateOptions options = migrating(cluster);
  const auto watched = [&](std::string prefix, std::function<void(int)> look) {
    const auto clock = std::make_shared<WatchedClock>(std::move(look));
    options.dev_prefix = std::move(prefix);
    options.clock = clock;
    return clock;
  };
  const auto undisturbed = watched("undisturbed", [](int) {});
  CHECK(migrated(options) == "3 1 1 1 1 ");
  const int moments = long_form() ? 60 : 6;
  std::size_t in_the_middle = 0;
  for (int moment = 1; moment <= moments || in_the_middle == 0; ++moment) {
    CAPTURE(moment);
    const int at = undisturbed->looks() * moment / (moments + 1) % undisturbed->looks() + 1;
    std::optional<std::size_t> killed;
    const auto clock = watched("moment" + std::to_string(moment), [&](int look) {
      if (look != at) return;
      killed = leader_of(cluster);
      cluster.kill(*killed);
    });
    {
      ThreadedApp app(options);
      CHECK(migrated(app) == "3 1 1 1 1 ");
      in_the_middle += app.log.count("looking what is applied");
    }  // which looks at the clock as well
    if (killed) cluster.start(*killed);
  }
}

TEST_CASE("cluster: what another process has migrated is seen after the leader went, too") {
  ClusterFixture cluster;
  AppStateOptions options = migrating(cluster);
  bool done = false;
  MigratorOptions between;
  between.on_progress = [&](const MigrationProgress&) {
    if (std::exchange(done, true)) return;
    CHECK(migrated(options) == "3 1 1 1 1 ");
    cluster.kill(leader_of(cluster));
  };
  ThreadedApp app(options);
  CHECK(migrated(app, three_steps().with_options(between)) == "3 1 1 1 1 ");
}

// the migration                   the leader
// INSERT INTO n; COMMIT
// BEGIN; CREATE TABLE c ...       dies
// not again: n is there
TEST_CASE("cluster: a migration that commits in the middle is not begun again by itself") {
  constexpr int later = 3;  // looks of the migrating thread at its clock
  ClusterFixture cluster;
  AppStateOptions options = migrating(cluster);
  ClusterOptions same = options.pool.cluster;
  same.database = "test.db";
  auto other = Connection::in_cluster(same, connection_role::reader);
  const auto rows = [&] {
    try {
      return other.query_one<int>("SELECT count(*) FROM n");
    } catch (const Error&) {  // no such table yet
      return 0;
    }
  };
  std::mutex mutex;
  int since = 0;
  options.clock = std::make_shared<WatchedClock>([&](int) {
    const std::lock_guard lock(mutex);
    if (since > later || rows() == 0 || ++since <= later) return;
    cluster.kill(leader_of(cluster));
  });
  ThreadedApp app(options);
  app.state->db_instances.add_migrator(
      "test", migrations({"CREATE TABLE n(x)", "INSERT INTO n VALUES (1);\nCOMMIT;\nBEGIN;\nCREATE TABLE c(x)"}));
  std::string said;
  try {
    app.open();
  } catch (const Error& error) {
    said = error.what();
  }
  CAPTURE(said);
  CHECK(since > later);
  CHECK(rows() == 1);
}

// first leader    runs it, and never answers again
// second leader   runs it, and never answers again
// third           is not asked: it would be the last
TEST_CASE("cluster: a migration that two leaders were lost with is an error") {
  ClusterFixture cluster;
  AppStateOptions options = migrating(cluster);
  options.pool.cluster.dial_timeout = 500ms;  // that each of them takes up
  ThreadedApp app(options);
  app.state->db_instances.add_migrator("test", migrations({"CREATE TABLE a(x)", endless}));
  const auto error = error_of([&] { app.open(); });
  CAPTURE(error.what());
  CHECK(error.code() == errc::unavailable);
  CHECK(contains(error.what(), "migration 2 'step'"));
}

TEST_CASE("cluster: processes that migrate an empty cluster at once apply each migration once") {
  ClusterFixture cluster;
  std::vector<std::string> seen(3);
  std::vector<std::thread> processes;
  for (std::string& each : seen)
    processes.emplace_back([&] { each = in_child([&] { return migrated(migrating(cluster)); }); });
  for (std::thread& each : processes) each.join();
  for (const std::string& each : seen) CHECK(each == "3 1 1 1 1 ");
}

TEST_CASE("cluster: a migration that declares a column which kills nodes is refused, and nothing of it is kept") {
  ClusterFixture cluster;
  ThreadedApp app(migrating(cluster));
  app.state->db_instances.add_migrator("test", migrations({"CREATE TABLE a(x); CREATE TABLE b(at DATETIME)"}));
  const auto error = error_of([&] { app.open(); });
  CAPTURE(error.what());
  CHECK(contains(error.what(), "declared DATETIME"));
  app.state->db_instances.add_migrator("test", migrations({"CREATE TABLE a(x); CREATE TABLE b(at TEXT)"}));
  CHECK_NOTHROW(app.open());
}

}  // namespace
}  // namespace statehouse::test
