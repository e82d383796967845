// One database of many that is closed, or removed, while the others go on.

#include <catch2/generators/catch_generators.hpp>

#include "left_log.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

constexpr ShutdownOptions brief{.grace = 1000ms, .deadline = 2000ms};

/// Two databases, of which "x" has a migration that makes the table t.
class Two : public SteppedApp {
 public:
  Two() {
    databases().add_migrator("x", migrations({"CREATE TABLE t(a)"}));
    pool = open("x");
    other = open("other");
  }
  DbInstances& databases() { return state->db_instances; }
  fs::path file() const { return dir / "x.db"; }
  int rows(const Pool& of) { return run(of.query_one<int>("SELECT count(*) FROM t")); }
  void insert(const Pool& into) { run(into.execute("INSERT INTO t VALUES (1)")); }
  bool other_goes_on() { return run(other.query_one<int>("SELECT 1")) == 1; }
  std::vector<std::string> known() {
    std::vector<std::string> names;
    for (const DatabaseStats& stats : databases().stats()) names.push_back(stats.name);
    return names;
  }
  /// Whether any of it was ever opened while it was open.
  bool opened_twice() const { return log.count("file_in_use") + log.count("is already open") > 0; }

  Pool pool;
  Pool other;
};

TEST_CASE("close: one database is closed, its handles answer so, and the next get_pool opens it again") {
  Two app;
  app.insert(app.pool);
  const ShutdownReport report = app.run(app.databases().close("x"));
  REQUIRE(report.databases.size() == 1);
  CHECK(report.databases[0].name == "x");
  CHECK(report.clean());
  check_closed(app.file());
  const auto refused = app.ended(app.pool.query_one<int>("SELECT 1"));
  CHECK(error_of([&] { Task(refused).get(); }).code() == errc::closed);
  CHECK(contains(Task(refused).text(), "get_pool opens it again"));
  CHECK(app.databases().names() == std::vector<std::string>{"other"});
  CHECK_FALSE(app.databases().try_get_pool("x"));
  CHECK(app.other_goes_on());
  const Pool again = app.open("x.db");
  CHECK_FALSE(same(again, app.pool));
  CHECK(app.rows(again) == 1);
  CHECK(app.run(app.state->shutdown()).databases.size() == 2);
}

TEST_CASE("close: nothing is open: an empty report, and nothing is remembered of it") {
  Two app;
  CHECK(app.run(app.databases().close("never")).databases.empty());
  CHECK(app.run(app.databases().close("other")).databases.size() == 1);
  CHECK(app.run(app.databases().close("other")).databases.empty());
  CHECK(app.known() == std::vector<std::string>{"x"});
  CHECK(app.databases().health().databases.size() == 1);
  app.databases().add_migrator("other", migrations({"CREATE TABLE late(a)"}));  // as if it had never been
  CHECK(app.run(app.open("other").query_one<int>("SELECT count(*) FROM late")) == 0);
  CHECK(code_of([&] { app.run(app.databases().close("../x")); }) == errc::invalid_name);
}

TEST_CASE("close: before init and after the shutdown it is refused") {
  SteppedApp app;
  CHECK(app.code(app.state->db_instances.close("x")) == errc::not_initialised);
  CHECK(app.code(app.state->db_instances.remove("x")) == errc::not_initialised);
  app.open("x");
  app.run(app.state->shutdown());
  CHECK(app.code(app.state->db_instances.close("x")) == errc::closed);
  CHECK(app.code(app.state->db_instances.remove("x")) == errc::closed);
  CHECK(fs::exists(app.dir / "x.db"));
}

TEST_CASE("close: what has begun may finish, and who asks for the pool meanwhile waits for the end of it") {
  Two app;
  Transaction begun = app.run(app.pool.begin());
  auto close = app.spawn(app.databases().close("x", brief));
  auto again = app.spawn(app.databases().get_pool("x"));
  app.settle();
  CHECK_FALSE(close.done());
  CHECK_FALSE(again.done());
  app.run(begun.execute("INSERT INTO t VALUES (1)"));
  app.run(std::move(begun).commit());
  app.settle();
  const ShutdownReport report = close.get();
  CHECK(report.clean());
  CHECK_FALSE(report.databases.at(0).interrupted);
  CHECK(app.rows(again.get()) == 1);
  CHECK_FALSE(app.opened_twice());
}

TEST_CASE("close: after the grace time what is held is taken back, and rolled back") {
  Two app;
  Transaction held = app.run(app.pool.begin());
  app.run(held.execute("INSERT INTO t VALUES (1)"));
  auto close = app.spawn(app.databases().close("x", brief));
  auto again = app.spawn(app.databases().get_pool("x"));
  app.settle();
  CHECK_FALSE(close.done());
  CHECK_FALSE(again.done());
  app.clock->advance(brief.grace);
  app.settle();
  const ShutdownReport report = close.get();
  CHECK(report.clean());
  CHECK(report.databases.at(0).interrupted);
  CHECK(app.rows(again.get()) == 0);
  CHECK(app.other_goes_on());
}

TEST_CASE("close: an opening that waits for a thread never begins, and one that runs is closed when it is over") {
  const bool runs = GENERATE(false, true);
  Two app;
  app.run(app.databases().close("x"));
  auto opening = app.spawn(app.databases().get_pool("x"));
  if (runs) app.step_db();  // the strand; the next step is the opening
  auto close = app.spawn(app.databases().close("x"));
  auto again = app.spawn(app.databases().get_pool("x"));
  app.settle();
  CHECK(opening.code() == errc::closed);
  CHECK(contains(opening.text(), "was closed"));
  CHECK(close.get().clean());
  CHECK(app.rows(again.get()) == 0);
  CHECK_FALSE(app.opened_twice());
}

TEST_CASE("close: again and again while the first is not over, each opening waits for all that came before") {
  Two app;
  Transaction held = app.run(app.pool.begin());
  auto first = app.spawn(app.databases().close("x", brief));
  auto refused = app.spawn(app.databases().get_pool("x"));
  auto second = app.spawn(app.databases().close("x", {.grace = 10s, .deadline = 20s}));
  auto again = app.spawn(app.databases().get_pool("x"));
  app.settle();
  CHECK(refused.code() == errc::closed);
  CHECK_FALSE(first.done());
  CHECK_FALSE(second.done());
  CHECK_FALSE(again.done());
  held = {};
  app.settle();
  CHECK(first.get().databases.size() == 1);
  CHECK(second.get().clean());
  CHECK(app.rows(again.get()) == 0);
  CHECK_FALSE(app.opened_twice());
}

TEST_CASE("close: a shutdown that begins meanwhile waits for it, and tells of it") {
  Two app;
  Transaction held = app.run(app.pool.begin());
  auto close = app.spawn(app.databases().close("x", brief));
  auto waits = app.spawn(app.databases().get_pool("x"));
  auto shutdown = app.spawn(app.state->shutdown(brief));
  app.settle();
  CHECK(waits.code() == errc::closed);
  CHECK_FALSE(shutdown.done());
  app.clock->advance(brief.grace);
  app.settle();
  CHECK(close.get().clean());
  const ShutdownReport report = shutdown.get();
  CHECK(report.clean());
  CHECK(report.databases.size() == 2);
  check_closed(app.file());
}

TEST_CASE("close: an AppState that is destroyed meanwhile closes it") {
  Two app;
  Transaction held = app.run(app.pool.begin());
  auto close = app.spawn(app.databases().close("x"));
  app.state.reset();
  app.settle();
  CHECK(close.get().clean());
  check_closed(app.file());
}

TEST_CASE("close: one that sleeps, falls asleep or wakes at that moment is closed, and opens again") {
  const std::string when = GENERATE("asleep", "falling asleep", "waking", "woken");
  const bool removes = GENERATE(false, true);
  CAPTURE(when, removes);
  Two app;
  app.insert(app.pool);
  const auto pass = [&](int seconds) {
    for (; seconds > 0; --seconds) {
      app.clock->advance(1s);
      app.settle();
    }
  };
  pass(10);  // the log is cut
  if (when == "falling asleep") {
    while (app.log.count("database 'x': nobody uses it") == 0) {
      app.clock->advance(1s);
      if (app.log.count("database 'x': nobody uses it") == 0) app.settle();
    }
  } else {
    pass(80);
    REQUIRE(app.pool.stats().state == database_state::asleep);
  }
  std::optional<Task<int>> read;
  if (when == "waking") read = app.spawn(app.pool.query_one<int>("SELECT count(*) FROM t"));
  if (when == "woken") CHECK(app.rows(app.pool) == 1);
  std::optional<Task<ShutdownReport>> close;
  std::optional<Task<bool>> removal;
  if (removes) {
    removal = app.spawn(app.databases().remove("x"));
  } else {
    close = app.spawn(app.databases().close("x"));
  }
  auto again = app.spawn(app.databases().get_pool("x"));
  app.settle();
  if (removes) {
    CHECK(removal->get());
  } else {
    const ShutdownReport report = close->get();
    CHECK(report.clean());
    CHECK(report.databases.size() == (when == "asleep" ? 0 : 1));
  }
  if (read) CHECK(read->code() == errc::closed);
  CHECK(app.rows(again.get()) == (removes ? 0 : 1));
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(app.file());
}

TEST_CASE("close: at the deadline it is told who still has it, and the next opening waits for him") {
  std::function<void()> hook;
  AppStateOptions options;
  options.pool.connection.on_connect = with_hook(hook);
  SteppedApp app(std::move(options));
  const Pool pool = app.open("x");
  DbInstances& databases = app.state->db_instances;
  std::optional<Task<ShutdownReport>> close;
  std::optional<Task<Pool>> again;
  hook = [&] {  // runs for as long as the deadline, and nothing stops it
    close = app.spawn(databases.close("x", {.grace = 0ms, .deadline = 10ms}));
    again = app.spawn(databases.get_pool("x"));
    app.clock->advance(10ms);
    while (app.step_io()) {
    }
    CHECK(close->done());
    CHECK_FALSE(again->done());
  };
  const auto query = app.ended(pool.query_one<int>("SELECT hook()"));
  hook = [] {};
  const ShutdownReport report = close->get();
  CHECK_FALSE(report.clean());
  CHECK(report.databases.at(0).holders.size() == 1);
  app.settle();
  CHECK(app.run(again->get().query_one<int>("SELECT hook()")) == 1);
}

TEST_CASE("remove: the file is gone with all that is beside it, and the next get_pool makes a new one") {
  Two app;
  app.insert(app.pool);
  CHECK(app.run(app.databases().remove("x")));
  for (const char* const suffix : {"", "-wal", "-shm", "-journal"})
    CHECK_FALSE(fs::exists(app.file().string() + suffix));
  CHECK(open_descriptors(app.file()) == 0);
  CHECK(contains(app.ended(app.pool.query_one<int>("SELECT 1")).text(), "was removed"));
  CHECK(app.other_goes_on());
  CHECK_FALSE(app.run(app.databases().remove("x")));
  const Pool anew = app.open("x");
  CHECK(app.rows(anew) == 0);  // migrated
  CHECK(app.run(app.state->shutdown()).clean());
}

TEST_CASE("remove: one that was not opened goes with the log that a killed process has left") {
  Two app;
  const fs::path file = app.dir / "left.db";
  leave_log(file, "PRAGMA journal_mode = wal; CREATE TABLE t(a)");
  REQUIRE(fs::exists(file.string() + "-wal"));
  CHECK(app.run(app.databases().remove("left")));
  for (const char* const suffix : {"", "-wal", "-shm"}) CHECK_FALSE(fs::exists(file.string() + suffix));
  CHECK(app.known() == std::vector<std::string>{"other", "x"});
}

TEST_CASE("remove: while somebody else has the file open it is refused, and everything is there") {
  Two app;
  app.insert(app.pool);
  {
    const PlainDatabase other(app.file());
    CHECK(other.scalar("SELECT count(*) FROM t") == 1);
    const auto removal = app.ended(app.databases().remove("x"));
    CHECK(Task(removal).code() == errc::file_in_use);
    CHECK(contains(Task(removal).text(), "stop who uses it first"));
    CHECK(other.scalar("SELECT count(*) FROM t") == 1);
  }
  CHECK(app.rows(app.open("x")) == 1);
  CHECK(app.run(app.databases().remove("x")));
}

TEST_CASE("remove: what is no database file of its own is left alone") {
  Two app;
  app.run(app.databases().close("x"));
  fs::create_symlink(app.file(), app.dir / "link.db");
  CHECK(app.code(app.databases().remove("link")) == errc::not_a_regular_file);
  CHECK(fs::exists(app.file()));
  const testing::TempDir elsewhere;
  PlainDatabase(elsewhere / "v.db").execute("CREATE TABLE t(a)");
  fs::create_directory_symlink(elsewhere.path(), app.dir / "tenants");
  CHECK(app.code(app.databases().remove("tenants/v")) == boost::system::errc::too_many_symbolic_link_levels);
  CHECK(fs::exists(elsewhere / "v.db"));
  CHECK_FALSE(app.run(app.databases().remove("nobody/v")));
  CHECK_FALSE(fs::exists(app.dir / "nobody"));
  fs::create_directory(app.dir / "directory.db");
  CHECK(app.code(app.databases().remove("directory")) == errc::not_a_regular_file);
}

TEST_CASE("remove: who asks for the pool meanwhile gets the new one, whatever was going on") {
  const auto state = GENERATE("open", "closing", "removing", "opening");
  CAPTURE(state);
  Two app;
  app.insert(app.pool);
  std::optional<Transaction> held;
  std::optional<Task<ShutdownReport>> closing;
  std::optional<Task<bool>> removing;
  std::optional<Task<Pool>> opening;
  if (state == std::string("opening")) app.run(app.databases().close("x"));
  if (state != std::string("opening")) held = app.run(app.pool.begin());
  if (state == std::string("closing")) closing = app.spawn(app.databases().close("x", brief));
  if (state == std::string("removing")) removing = app.spawn(app.databases().remove("x", brief));
  if (state == std::string("opening")) opening = app.spawn(app.databases().get_pool("x"));
  auto removal = app.spawn(app.databases().remove("x", brief));
  auto anew = app.spawn(app.databases().get_pool("x"));
  app.settle();
  CHECK(anew.done() == !held.has_value());
  held.reset();
  app.settle();
  if (closing) CHECK(closing->get().clean());
  if (removing) CHECK(removing->get());
  if (opening) CHECK(opening->code() == errc::closed);
  CHECK(removal.get() == (state != std::string("removing")));
  CHECK(app.rows(anew.get()) == 0);
  CHECK_FALSE(app.opened_twice());
}

TEST_CASE("remove: at the deadline it is given up for good, and nothing is lost") {
  Two app;
  app.insert(app.pool);
  const ReaderLease held = app.run(app.pool.acquire(reader));
  auto removal = app.spawn(app.databases().remove("x", {.grace = 20s, .deadline = 20s}));
  app.settle();
  CHECK_FALSE(removal.done());
  app.clock->advance(20s);
  while (app.step_io()) {
  }
  CHECK(removal.code() == errc::acquire_timeout);
  CHECK(contains(removal.text(), "still in use"));
  app.settle();  // the lease was taken back
  check_closed(app.file());
  CHECK(app.rows(app.open("x")) == 1);
}

TEST_CASE("remove: a shutdown that begins meanwhile waits for it, and so does the destructor") {
  const bool destroyed = GENERATE(false, true);
  Two app;
  app.insert(app.pool);
  auto removal = app.spawn(app.databases().remove("x", brief));
  std::optional<Task<ShutdownReport>> shutdown;
  if (destroyed) {
    app.state.reset();
  } else {
    shutdown = app.spawn(app.state->shutdown());
  }
  app.settle();
  CHECK(removal.get());
  CHECK_FALSE(fs::exists(app.file()));
  if (shutdown) CHECK(shutdown->get().clean());
}

TEST_CASE("remove: a database in memory is emptied, one of a cluster is refused") {
  Two app;
  PoolOptions in_memory;
  in_memory.in_memory = true;
  app.databases().configure("m", in_memory);
  app.run(app.open("m").execute("CREATE TABLE t(a)"));
  CHECK_FALSE(app.run(app.databases().remove("m")));
  CHECK(app.run(app.open("m").query_one<int>("SELECT count(*) FROM sqlite_schema")) == 0);
  PoolOptions remote;
  remote.cluster.nodes = {"127.0.0.1:1"};
  app.databases().configure("c", remote);
  CHECK(app.code(app.databases().remove("c")) == errc::not_supported);
}

TEST_CASE("close: beside callers on several threads each gets an open pool or is told why not") {
  ThreadedApp app;
  app.state->db_instances.add_migrator("x", migrations({"CREATE TABLE t(a)"}));
  DbInstances& databases = app.state->db_instances;
  std::atomic<int> wrong{0};
  const auto work = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 200; ++i) {
      try {
        const Pool pool = co_await databases.get_pool("x");
        co_await pool.execute("INSERT INTO t VALUES (1)");
      } catch (const Error& error) {
        if (error.code() != errc::closed) ++wrong;
      }
    }
  };
  const auto end = [&](bool removes) -> asio::awaitable<void> {
    for (int i = 0; i < 20; ++i) {
      if (removes) {
        co_await databases.remove("x");
      } else {
        const ShutdownReport report = co_await databases.close("x");
        if (!report.clean()) ++wrong;
      }
    }
  };
  auto first = app.spawn(work());
  auto second = app.spawn(work());
  auto closes = app.spawn(end(false));
  auto removes = app.spawn(end(true));
  first.get();
  second.get();
  closes.get();
  removes.get();
  CHECK(wrong == 0);
  CHECK(app.run(app.state->shutdown()).clean());
}

}  // namespace
}  // namespace statehouse::test
