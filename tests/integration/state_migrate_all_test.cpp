// migrate_all: all files of the data directory are brought up to date, and none stays open.
#include <filesystem>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

using namespace std::string_literals;
namespace fs = std::filesystem;

Migrator one_step() {
  return migrations({"CREATE TABLE a(x)"});
}
Migrator both_steps(MigratorOptions options = {}) {
  return migrations({"CREATE TABLE a(x)", "CREATE TABLE b(x)"}, std::move(options));
}

/// A data directory with the databases `t/1` to `t/<count>`, of which each has the first step, as an earlier program
/// has left it.
struct OldFiles {
  explicit OldFiles(int count) {
    SteppedApp earlier;
    auto state = another(earlier, dir.path());
    state->db_instances.add_migrator("t/*", one_step());
    earlier.run(state->init());
    for (int i = 1; i <= count; ++i) earlier.run(state->db_instances.get_pool("t/" + std::to_string(i)));
    CHECK(earlier.run(state->shutdown()).clean());
  }
  fs::path file(int i) const { return dir / ("t/" + std::to_string(i) + ".db"); }
  std::string tables(int i) const {
    return value(file(i),
                 "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE name IN ('a', 'b') "
                 "ORDER BY 1)");
  }

  testing::TempDir dir;
};

/// A stepped AppState on those.
struct NewProgram {
  explicit NewProgram(const OldFiles& files) : state(another(app, files.dir.path())) { app.run(state->init()); }
  ~NewProgram() {
    if (state) app.run(state->shutdown());
  }
  MigrateAllReport migrate(std::string_view pattern = "**", MigrateAllOptions options = {}) {
    return app.run(state->db_instances.migrate_all(pattern, std::move(options)));
  }

  SteppedApp app;
  std::unique_ptr<AppState> state;
};

TEST_CASE("migrate_all: brings every file that matches up to date, and leaves none open nor known") {
  const OldFiles files(3);
  NewProgram program(files);
  DbInstances& databases = program.state->db_instances;
  databases.add_migrator("t/*", both_steps());
  const auto report = program.migrate("t/*");
  CHECK(report.clean());
  REQUIRE(report.databases.size() == 3);
  for (int i = 1; i <= 3; ++i) {
    const auto& each = report.databases.at(static_cast<std::size_t>(i) - 1);
    CHECK(each.name == "t/" + std::to_string(i));
    CHECK(each.versions == std::vector<std::int64_t>{2});
    CHECK_FALSE(each.was_open);
    CHECK(files.tables(i) == "a,b");
    check_closed(files.file(i));
  }
  CHECK(databases.names().empty());
  CHECK(databases.stats().empty());
  CHECK(databases.health().databases.empty());
  CHECK(databases.health().ready());
  CHECK(program.migrate("t/*").databases.at(0).versions.empty());  // nothing is left to do
}

TEST_CASE("migrate_all: a file whose name a cluster does not take is an error that says so, as of get_pool") {
  const OldFiles files(1);
  NewProgram program(files);
  PoolOptions cluster;
  cluster.cluster.nodes = {"127.0.0.1:1"};
  program.state->db_instances.configure("t/1", cluster);
  const auto report = program.migrate();
  REQUIRE(report.databases.size() == 1);
  CHECK(report.databases.at(0).code == errc::invalid_name);
  CHECK(contains(report.databases.at(0).failure, "cluster.database"));
}

TEST_CASE("migrate_all: only what matches and is there is opened, and nothing is made") {
  const OldFiles files(2);
  NewProgram program(files);
  program.state->db_instances.add_migrator("**", both_steps());
  const auto report = program.migrate("t/2");
  CHECK(report.databases.size() == 1);
  CHECK(files.tables(1) == "a");
  CHECK(files.tables(2) == "a,b");
  CHECK(program.migrate("u/*").databases.empty());
  CHECK(program.migrate("nothing").clean());
  CHECK(names_in(files.dir / "t") == std::vector{"1.db"s, "2.db"s});
}

TEST_CASE("migrate_all: one that fails does not stop the others, and says why") {
  const OldFiles files(3);
  NewProgram program(files);
  write_file(files.file(2), std::string(5000, 'x'));
  program.state->db_instances.add_migrator("t/*", both_steps());
  const auto report = program.migrate();
  CHECK_FALSE(report.clean());
  CHECK(report.not_begun == 0);
  REQUIRE(report.databases.size() == 3);
  CHECK_FALSE(report.databases.at(0).code);
  CHECK(report.databases.at(1).code);
  CHECK(contains(report.databases.at(1).failure, "not a database"));
  CHECK(report.databases.at(2).versions == std::vector<std::int64_t>{2});
  CHECK(program.app.log.count("database 't/2': not brought up to date: ", spdlog::level::err) == 1);
  CHECK(program.state->db_instances.health().databases.empty());
  CHECK(program.app.code(program.state->db_instances.get_pool("t/2")) == report.databases.at(1).code);  // tried again
  CHECK(program.state->db_instances.health().databases.at(0).reason == health_reason::failed);
}

TEST_CASE("migrate_all: at most so many are open at once, and progress is told of each") {
  const OldFiles files(5);
  NewProgram program(files);
  std::size_t begun = 0;
  std::size_t ended = 0;
  std::size_t most = 0;
  MigratorOptions watching;
  watching.on_begin = [&](const MigrationProgress&) { most = std::max(most, ++begun - ended); };
  program.state->db_instances.add_migrator("t/*", both_steps(watching));
  const std::size_t concurrency = 2;
  std::vector<std::string> told;
  MigrateAllOptions options;
  options.concurrency = concurrency;
  options.progress = [&](const MigratedDatabase& database, std::size_t done, std::size_t total) {
    ++ended;
    CHECK(total == 5);
    CHECK(done == told.size() + 1);
    told.push_back(database.name);
  };
  auto task = program.app.spawn(program.state->db_instances.migrate_all("t/*", options));
  std::size_t most_opening = 0;
  while (program.app.step_db() || program.app.step_io()) {
    most_opening = std::max(most_opening, program.state->db_instances.stats().size());
    CHECK(program.state->db_instances.health().ready());  // nobody has asked for one
  }
  CHECK(task.get().clean());
  CHECK(most_opening == concurrency);
  CHECK(told == std::vector{"t/1"s, "t/2"s, "t/3"s, "t/4"s, "t/5"s});
}

TEST_CASE("migrate_all: a file that is deleted before its turn has come is not made anew") {
  const OldFiles files(2);
  NewProgram program(files);
  program.state->db_instances.add_migrator("t/*", both_steps());
  MigrateAllOptions options;
  options.concurrency = 1;
  options.progress = [&](const MigratedDatabase&, std::size_t, std::size_t) { fs::remove(files.file(2)); };
  const auto report = program.migrate("t/*", options);
  CHECK(report.databases.at(0).failure.empty());
  CHECK(report.databases.at(1).code == boost::system::errc::no_such_file_or_directory);
  CHECK(names_in(files.dir / "t") == std::vector{"1.db"s});
}

TEST_CASE("migrate_all: what progress throws ends it, between databases") {
  const OldFiles files(3);
  NewProgram program(files);
  program.state->db_instances.add_migrator("t/*", both_steps());
  MigrateAllOptions options;
  options.concurrency = 1;
  options.progress = [](const MigratedDatabase&, std::size_t, std::size_t) { throw std::runtime_error("enough"); };
  auto task = program.app.spawn(program.state->db_instances.migrate_all("t/*", options));
  program.app.settle();
  CHECK(contains(task.text(), "enough"));
  CHECK(files.tables(1) == "a,b");
  CHECK(files.tables(2) == "a");
}

TEST_CASE("migrate_all: a database that is open is not opened twice, and its migrations are told") {
  const OldFiles files(2);
  NewProgram program(files);
  DbInstances& databases = program.state->db_instances;
  databases.add_migrator("t/*", both_steps());
  const Pool pool = program.app.run(databases.get_pool("t/1"));
  const auto report = program.migrate();
  CHECK(report.clean());
  CHECK(report.databases.at(0).was_open);
  CHECK(report.databases.at(0).versions == std::vector<std::int64_t>{2});
  CHECK_FALSE(report.databases.at(1).was_open);
  CHECK(program.app.run(pool.query_one<int>("SELECT 1")) == 1);
  CHECK(databases.names() == std::vector{"t/1"s});
}

TEST_CASE("get_pool: who asks for a database while it is brought up to date waits, and has it then") {
  // migrate_all                 caller of get_pool
  // opens t/1
  //                             asks for it
  // closes it
  //                             has it opened
  const OldFiles files(1);
  NewProgram program(files);
  DbInstances& databases = program.state->db_instances;
  std::optional<Task<Pool>> caller;
  MigratorOptions watching;
  watching.on_begin = [&](const MigrationProgress&) {
    caller.emplace(program.app.start(databases.get_pool("t/1")));
    while (program.app.step_io()) {
    }
  };
  databases.add_migrator("t/*", both_steps(watching));
  const auto report = program.migrate();
  CHECK(report.clean());
  CHECK(report.databases.at(0).versions == std::vector<std::int64_t>{2});
  program.app.settle();
  REQUIRE(caller);
  CHECK(program.app.run(caller->get().execute("INSERT INTO b VALUES (1)")).changes == 1);
  CHECK(databases.names() == std::vector{"t/1"s});
  CHECK(databases.stats().at(0).migrations_applied == 0);
}

TEST_CASE("migrate_all: a database that get_pool opens already is waited for") {
  const OldFiles files(1);
  NewProgram program(files);
  DbInstances& databases = program.state->db_instances;
  databases.add_migrator("t/*", both_steps());
  auto caller = program.app.spawn(databases.get_pool("t/1"));  // asks; nothing is opened yet
  const auto report = program.migrate();
  CHECK(report.databases.at(0).was_open);
  CHECK(report.databases.at(0).versions == std::vector<std::int64_t>{2});
  program.app.settle();
  CHECK(caller.get().name() == "t/1");
}

TEST_CASE("migrate_all: a cancellation ends it between databases, and the report says how many are left") {
  const OldFiles files(3);
  NewProgram program(files);
  std::optional<Task<MigrateAllReport>> task;
  MigratorOptions watching;
  watching.on_begin = [&](const MigrationProgress&) { task->cancel(); };
  program.state->db_instances.add_migrator("t/*", both_steps(watching));
  MigrateAllOptions options;
  options.concurrency = 1;
  task.emplace(program.app.spawn(program.state->db_instances.migrate_all("t/*", options)));
  program.app.settle();
  const auto report = task->get();
  CHECK_FALSE(report.clean());
  CHECK(report.databases.size() == 1);
  CHECK(report.not_begun == 2);
  CHECK(files.tables(1) == "a,b");
  CHECK(files.tables(2) == "a");
}

TEST_CASE("migrate_all: a shutdown stops the one that runs, begins no other, and is waited for") {
  const OldFiles files(3);
  NewProgram program(files);
  std::optional<Task<ShutdownReport>> shutdown;
  MigratorOptions watching;
  watching.on_begin = [&](const MigrationProgress&) {
    ShutdownOptions at_once;
    at_once.grace = 0s;
    shutdown.emplace(program.app.start(program.state->shutdown(at_once)));
    while (program.app.step_io()) {
    }
  };
  program.state->db_instances.add_migrator("t/*", both_steps(watching));
  MigrateAllOptions options;
  options.concurrency = 1;
  auto task = program.app.spawn(program.state->db_instances.migrate_all("t/*", options));
  program.app.settle();
  const auto report = task.get();
  CHECK(report.databases.at(0).code == errc::closed);
  CHECK(report.not_begun == 2);
  REQUIRE(shutdown);
  CHECK(shutdown->get().clean());
  for (int i = 1; i <= 3; ++i) {
    CHECK(files.tables(i) == "a");
    check_closed(files.file(i));
  }
}

TEST_CASE("migrate_all: a shutdown before a thread was free leaves the files as they are") {
  const OldFiles files(2);
  NewProgram program(files);
  program.state->db_instances.add_migrator("t/*", both_steps());
  auto task = program.app.spawn(program.state->db_instances.migrate_all());
  REQUIRE(program.app.step_db());  // has looked for the files, and has the first opened
  auto shutdown = program.app.spawn(program.state->shutdown());
  program.app.settle();
  CHECK(shutdown.get().clean());
  const auto report = task.get();
  CHECK_FALSE(report.clean());
  for (const auto& each : report.databases) CHECK(each.code == errc::closed);
  CHECK(files.tables(1) == "a");
  CHECK(program.app.code(program.state->db_instances.migrate_all()) == errc::closed);
}

TEST_CASE("migrate_all: a bad pattern and a state that is not initialised are errors of their own") {
  SteppedApp app;
  CHECK(code_of([&] { static_cast<void>(app.state->db_instances.migrate_all("../*")); }) == errc::invalid_name);
  auto early = app.spawn(app.state->db_instances.migrate_all());
  app.settle();
  CHECK(early.code() == errc::not_initialised);
}

TEST_CASE("migrate_all: on threads of their own, twenty databases at once") {
  const OldFiles files(20);
  ThreadedApp app;
  AppStateOptions options;
  options.data_dir = files.dir.path();
  options.logger = app.log.logger();
  AppState state(app.io.get_executor(), options);
  app.run(state.init());
  state.db_instances.add_migrator("t/*", both_steps());
  MigrateAllOptions at_once;
  at_once.concurrency = 20;
  const auto report = app.run(state.db_instances.migrate_all("t/*", at_once));
  CHECK(report.clean());
  CHECK(report.databases.size() == 20);
  for (const auto& each : report.databases) CHECK(each.versions == std::vector<std::int64_t>{2});
  CHECK(state.db_instances.names().empty());
  CHECK(app.run(state.shutdown()).clean());
}

}  // namespace
}  // namespace statehouse::test
