#pragma once

#include <sqlite3.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "async_fixture.hpp"
#include "error_of.hpp"
#include "migrator_of.hpp"
#include "statehouse/statehouse.hpp"
#ifdef STATEHOUSE_NODE_PROGRAM
#include "cluster_fixture.hpp"
#endif

namespace statehouse::test {

using namespace std::chrono_literals;

inline const boost::system::error_code stopped(ECANCELED, boost::system::system_category());

/// What makes a pool one of the engine that this program tests: a file, or three nodes, which live as long as the
/// program.
inline PoolOptions on_tested_engine() {
  PoolOptions options;
#ifdef STATEHOUSE_NODE_PROGRAM
  static const ClusterFixture nodes(400);  // a transaction does not outlive its leader, so the same one is to stay
  options.cluster.nodes = nodes.addresses();
#endif
  return options;
}

/// An empty database with one writer and two readers; nothing is done but by the test's steps.
struct Behaviour {
  template <class Operation>
  auto run(Operation operation) {
    return app.run(std::move(operation));
  }
  template <class Operation>
  auto code(Operation operation) {
    return app.code(std::move(operation));
  }

  explicit Behaviour(const std::optional<Migrator>& migrator = {}) : app(options_) {
    run(app.state->init());
    if (migrator) app.state->db_instances.add_migrator("test", *migrator);
    pool = app.run(app.state->db_instances.get_pool("test"));
  }

  void execute(std::string sql) { run(pool.execute(std::string_view(sql))); }
  std::vector<int> numbers(std::string sql) { return run(pool.query_all<int>(std::string_view(sql))); }
  int number(std::string sql) { return run(pool.query_one<int>(std::string_view(sql))); }

  /// Another AppState on the same database, in place of this one; opens it.
  void reopen(const Migrator& migrator) {
    CHECK(run(app.state->shutdown()).clean());
    pool = Pool();
    app.state.reset();
    AppStateOptions options = options_;
    options.data_dir = app.dir.path();
    options.database_executor = app.db.get_executor();
    options.clock = app.clock;
    options.logger = app.log.logger();
    app.state.emplace(app.io.get_executor(), std::move(options));
    run(app.state->init());
    app.state->db_instances.add_migrator("test", migrator);
    pool = run(app.state->db_instances.get_pool("test"));
  }
  /// Nobody holds or waits for a connection, and each serves.
  void check_all_clean() {
    app.settle();
    const DatabaseStats stats = pool.stats();
    CHECK(stats.holders.empty());
    for (const LaneStats& lane : {stats.writer, stats.readers}) {
      CHECK(lane.in_use == 0);
      CHECK(lane.waiting == 0);
    }
    run(pool.write([](Connection& db) { db.query_one<int>("SELECT 1"); }));
    for (std::size_t i = 0; i < stats.readers.connections; ++i) CHECK(number("SELECT 1") == 1);
  }

 private:
  static AppStateOptions fresh() {
    static int databases = 0;
    AppStateOptions options;
    options.dev_prefix = "b" + std::to_string(++databases);
    options.pool = on_tested_engine();
    options.pool.readers = 2;
    return options;
  }

  const AppStateOptions options_ = fresh();

 public:
  SteppedApp app;
  Pool pool;
};

}  // namespace statehouse::test
