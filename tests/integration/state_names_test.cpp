#include <sys/stat.h>

#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <fstream>

#include "child_process.hpp"
#include "state_support.hpp"
#include "statehouse/sqlite_version.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

TEST_CASE("init: until it is done, the databases are not initialised") {
  SteppedApp app;
  const DbInstances& databases = app.state->db_instances;
  const auto refused = [&] {
    auto get = app.spawn(databases.get_pool("x"));
    CHECK(get.done());
    CHECK(get.code() == errc::not_initialised);
    CHECK_FALSE(databases.try_get_pool("x").has_value());
    CHECK(code_of([&] { static_cast<void>(databases.db_path("x")); }) == errc::not_initialised);
    CHECK(databases.names().empty());
    CHECK(databases.stats().empty());
  };
  refused();
  auto init = app.spawn(app.state->init());
  CHECK_FALSE(init.done());
  refused();
  app.settle();
  init.get();
  CHECK(databases.db_path("x") == fs::canonical(app.dir.path()) / "x.db");
  CHECK_FALSE(databases.try_get_pool("x").has_value());
  CHECK(app.run(databases.get_pool("x")).path() == databases.db_path("x"));
}

TEST_CASE("init: several calls, at once and later, do it once") {
  SteppedApp app;
  std::vector<Task<void>> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(app.spawn(app.state->init()));
  app.settle();
  for (auto& call : calls) CHECK_NOTHROW(call.get());
  CHECK(app.log.count(std::string("SQLite ") + sqlite3_libversion()) >= 1);
  CHECK(app.log.count(sqlite3_sourceid()) == 1);
  CHECK(app.log.count("WAL-reset bug") == (has_wal_reset_bug(sqlite3_libversion_number()) ? 1 : 0));
  auto again = app.spawn(app.state->init());
  CHECK(again.done());  // nothing left to do
}

TEST_CASE("init: the data directory and those above it are made with mode 0700 under any umask") {
  const mode_t mask = GENERATE(mode_t{0}, mode_t{022}, mode_t{077});
  SteppedApp app;
  auto state = another(app, app.dir / "a" / "b");
  const mode_t before = ::umask(mask);
  auto init = app.spawn(state->init());
  app.settle();
  ::umask(before);
  init.get();
  CHECK(mode_of(app.dir / "a") == 0700);
  CHECK(mode_of(app.dir / "a" / "b") == 0700);
}

TEST_CASE("init: a data directory that cannot be is an error of its own, and init works once the cause is gone") {
  struct Cause {
    std::string name;
    int code;
    std::string advice;
    std::function<fs::path(const fs::path&)> arrange;
    std::function<void(const fs::path&)> mend;
  };
  // clang-format off
  static const std::vector<Cause> causes{
      {"below a file", ENOTDIR, "is a file, not a directory",
       [](const fs::path& dir) {
         std::ofstream(dir / "file") << "x";
         return dir / "file" / "data";
       },
       [](const fs::path& dir) { fs::remove(dir / "file"); }},
      {"a file", ENOTDIR, "is a file, not a directory",
       [](const fs::path& dir) {
         std::ofstream(dir / "file") << "x";
         return dir / "file";
       },
       [](const fs::path& dir) { fs::remove(dir / "file"); }},
      {"a dangling link", EEXIST, "not a directory",
       [](const fs::path& dir) {
         fs::create_symlink(dir / "nowhere", dir / "link");
         return dir / "link";
       },
       [](const fs::path& dir) { fs::create_directory(dir / "nowhere"); }},
      {"a circle", ELOOP, "circles",
       [](const fs::path& dir) {
         fs::create_symlink(dir / "b", dir / "a");
         fs::create_symlink(dir / "a", dir / "b");
         return dir / "a" / "data";
       },
       [](const fs::path& dir) { fs::remove(dir / "a"); }}};
  // clang-format on
  const Cause& cause = causes.at(GENERATE(range(std::size_t{0}, std::size_t{4})));
  CAPTURE(cause.name);
  SteppedApp app;
  const fs::path data_dir = cause.arrange(app.dir.path());
  auto state = another(app, data_dir);
  auto first = app.spawn(state->init());
  auto second = app.spawn(state->init());
  app.settle();
  for (auto* init : {&first, &second}) {
    CHECK(init->code() == boost::system::error_code(cause.code, boost::system::system_category()));
    CHECK(contains(init->text(), app.dir.path().string()));
    CHECK(contains(init->text(), cause.advice));
  }
  CHECK(app.spawn(state->db_instances.get_pool("x")).code() == errc::not_initialised);
  cause.mend(app.dir.path());
  app.run(state->init());
  CHECK(app.run(state->db_instances.get_pool("x")).path() == fs::canonical(data_dir) / "x.db");
  CHECK(app.run(state->shutdown()).clean());
}

TEST_CASE("init: an empty path and one that is too long are errors of their own") {
  SteppedApp app;
  auto nowhere = another(app, "");
  auto init = app.spawn(nowhere->init());
  app.settle();
  CHECK(init.code() == boost::system::errc::invalid_argument);
  auto endless_path = another(app, app.dir / std::string(300, 'a'));
  auto second = app.spawn(endless_path->init());
  app.settle();
  CHECK(second.code() == boost::system::errc::filename_too_long);
  CHECK(contains(second.text(), "too long"));
}

TEST_CASE("init: a directory without permission is EACCES, and init works once it is writable") {
  const std::string outcome = as_nobody([]() -> std::string {
    SteppedApp app;
    ::chmod(app.dir.path().c_str(), 0500);
    auto below = another(app, app.dir / "data");
    auto refused_below = app.spawn(below->init());
    auto refused = app.spawn(app.state->init());
    app.settle();
    ::chmod(app.dir.path().c_str(), 0700);
    app.run(app.state->init());
    app.run(below->init());
    const auto code = [](auto& task) {
      return task.code() == boost::system::errc::permission_denied ? "[EACCES]"s : "[" + task.code().message() + "]";
    };
    return code(refused) + code(refused_below) + refused.text();
  });
  CHECK(contains(outcome, "[EACCES][EACCES]"));
  CHECK(contains(outcome, "check owner and mode"));
}

TEST_CASE("init: the AppState may be destroyed while a database thread looks at the directory") {
  // callers (io)                   database thread (db)       owner
  // init: posted
  //                                                           destroys the AppState
  //                                makes the directory
  // init: closed
  SteppedApp app;
  auto init = app.spawn(app.state->init());
  app.state.reset();
  app.settle();
  CHECK(init.code() == errc::closed);
}

TEST_CASE("add_migrator: before the first use, for x and x.db alike, the last one counts") {
  SteppedApp app;
  DbInstances& databases = app.state->db_instances;
  databases.add_migrator("x.db", migrations({"CREATE TABLE replaced(x)"}));  // also before init
  app.run(app.state->init());
  databases.add_migrator("x", migrations({"CREATE TABLE t(x)", "CREATE TABLE u(x)"}));
  CHECK(databases.stats().empty());  // nobody has asked for it
  const Pool pool = app.run(databases.get_pool("x"));
  CHECK(app.run(pool.query_all<std::string>(
            "SELECT name FROM sqlite_schema WHERE name IN ('t', 'u', 'replaced') ORDER BY 1")) ==
        std::vector<std::string>{"t", "u"});
  CHECK(pool.stats().schema_version == 2);
  for (const char* name : {"x", "x.db"})
    CHECK(code_of([&] { databases.add_migrator(name, migrations({})); }) == errc::already_open);
}

TEST_CASE("add_migrator: during an opening it is too late, after a failed one it is not") {
  SteppedApp app;
  DbInstances& databases = app.state->db_instances;
  app.run(app.state->init());
  databases.add_migrator("x", migrations({"nonsense"}));
  auto first = app.spawn(databases.get_pool("x"));
  CHECK(code_of([&] { databases.add_migrator("x", migrations({})); }) == errc::already_open);
  app.settle();
  CHECK(first.failed());
  databases.add_migrator("x", migrations({"CREATE TABLE t(x)"}));
  CHECK(app.run(databases.get_pool("x")).stats().schema_version == 1);
}

TEST_CASE("names: x and x.db are one database") {
  SteppedApp app;
  const Pool pool = app.open("x.db");
  CHECK(pool.name() == "x");
  CHECK(same(pool, app.run(app.state->db_instances.get_pool("x"))));
  CHECK(same(pool, *app.state->db_instances.try_get_pool("x.db")));
  CHECK(app.state->db_instances.db_path("x") == app.state->db_instances.db_path("x.db"));
  CHECK(app.state->db_instances.names() == std::vector<std::string>{"x"});
  CHECK(app.state->db_instances.stats().size() == 1);
}

TEST_CASE("names: a hostile one is refused by every function that takes a name, before anything happens") {
  const std::vector<std::string> hostile{"",
                                         ".",
                                         "..",
                                         "../x",
                                         "x/../y",
                                         "/etc/passwd",
                                         "a//b",
                                         "a/../b",
                                         "/a",
                                         "a.db/b",
                                         "a\\b",
                                         ".hidden",
                                         "x\0y"s,
                                         "x?mode=memory",
                                         "file:x.db",
                                         ":memory:",
                                         "x%2e%2e",
                                         "caf\xc3\xa9",
                                         "x\n",
                                         "x ",
                                         "x.",
                                         "-x",
                                         "x\x1b[2J",
                                         std::string(65, 'a'),
                                         std::string(1'000'000, 'a')};
  SteppedApp app;
  const bool initialised = GENERATE(true, false);
  if (initialised) app.run(app.state->init());
  for (const std::string& name : hostile) {
    CAPTURE(name.substr(0, 80));
    DbInstances& databases = app.state->db_instances;
    auto get = app.spawn(databases.get_pool(name));
    CHECK(get.done());
    CHECK(get.code() == errc::invalid_name);
    CHECK(code_of([&] { static_cast<void>(databases.try_get_pool(name)); }) == errc::invalid_name);
    CHECK(code_of([&] { static_cast<void>(databases.db_path(name)); }) == errc::invalid_name);
    CHECK(code_of([&] { databases.add_migrator(name, migrations({})); }) == errc::invalid_name);
  }
  CHECK(app.state->db_instances.stats().empty());
  CHECK(fs::is_empty(app.dir.path()));
}

TEST_CASE("names: the text of the name need not live longer than the call") {
  SteppedApp app;
  app.run(app.state->init());
  auto name = std::make_unique<std::string>("some-database");
  auto opening = app.state->db_instances.get_pool(*name);
  *name = "another";
  name.reset();
  CHECK(app.run(std::move(opening)).name() == "some-database");
  name = std::make_unique<std::string>("../" + std::string(50, 'x'));
  auto refused = app.state->db_instances.get_pool(*name);
  name.reset();
  auto task = app.spawn(std::move(refused));
  CHECK(task.code() == errc::invalid_name);
  CHECK(contains(task.text(), "'../xxxxx"));
}

TEST_CASE("prefix: development and production files of the same names never mix") {
  SteppedApp app;
  const std::vector<std::string> names{"context", "runs"};
  std::vector<std::unique_ptr<AppState>> states;
  for (const char* prefix : {"", "dev", "dev2"}) {
    auto& state = states.emplace_back(another(app, app.dir.path(), prefix));
    // One registration, by the logical name, serves them all.
    for (const auto& name : names) state->db_instances.add_migrator(name, migrations({"CREATE TABLE t(x)"}));
    app.run(state->init());
    for (const auto& name : names) {
      const Pool pool = app.run(state->db_instances.get_pool(name));
      CHECK(pool.name() == name);
      CHECK(pool.path() == state->db_instances.db_path(name));
      const std::string file = (*prefix != '\0' ? prefix + "_"s : ""s) + name + ".db";
      CHECK(pool.path().filename() == file);
      app.run(pool.execute("INSERT INTO t VALUES (?)", file));
    }
    CHECK(state->db_instances.names() == names);
  }
  for (auto& state : states)
    for (const auto& name : names) {
      const Pool pool = app.run(state->db_instances.get_pool(name));
      CHECK(app.run(pool.query_all<std::string>("SELECT x FROM t")) == std::vector{pool.path().filename().string()});
    }
  for (auto& state : states) CHECK(app.run(state->shutdown()).clean());
}

TEST_CASE("prefix: a bad one is refused when the AppState is made") {
  SteppedApp app;
  for (const std::string& prefix : {"."s, "../x"s, "a/b"s, "_"s, "x\0"s, " "s, std::string(33, 'p')}) {
    CAPTURE(prefix);
    CHECK(code_of([&] { another(app, app.dir.path(), prefix); }) == errc::invalid_name);
  }
  AppStateOptions with_threads;  // of our own: they must end with the constructor
  with_threads.dev_prefix = "..";
  CHECK(code_of([&] { AppState(app.io.get_executor(), with_threads); }) == errc::invalid_name);
}

TEST_CASE("log: opening, closing and the version are told at info, and name files relative to the data directory") {
  SteppedApp app;
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(x)"}));
  app.open("x");
  app.clock->advance(5s);
  CHECK(app.run(app.state->shutdown()).clean());
  CHECK(app.log.count("SQLite", spdlog::level::info) >= 1);
  CHECK(app.log.count("database 'x': opened x.db in 0 ms", spdlog::level::info) == 1);
  CHECK(app.log.count("database 'x': closed in 0 ms", spdlog::level::info) == 1);
  CHECK(app.log.count("", spdlog::level::warn) == 0);
  for (const auto& line : app.log.lines()) CHECK_FALSE(contains(line.text, app.dir.path().string()));
}

}  // namespace
}  // namespace statehouse::test
