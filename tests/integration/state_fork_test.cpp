#include <atomic>
#include <sstream>

#include "child_process.hpp"
#include "state_support.hpp"

namespace statehouse::test {
namespace {

namespace fs = std::filesystem;

/// How a call ended, as "name: code" per line; what did not end is "name: waits".
class Outcomes {
 public:
  template <class T>
  void add(const char* name, Task<T> task) {
    text_ << name << ": " << (task.done() ? task.code().message().substr(0, 30) : "waits") << '\n';
  }
  template <class F>
  void add_call(const char* name, F f) {
    try {
      f();
      text_ << name << ": no error\n";
    } catch (const Error& error) {
      text_ << name << ": " << error.code().message().substr(0, 30) << '\n';
    }
  }
  std::string text() const { return text_.str(); }
  static std::string forked() { return make_error_code(errc::forked_process).message().substr(0, 30); }

 private:
  std::ostringstream text_;
};

TEST_CASE("fork: in the child every call says so, and nothing waits") {
  SteppedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  Transaction transaction = app.run(pool.begin());
  ReaderLease lease = app.run(pool.acquire(reader));
  auto rows =
      pool.stream<int>("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1500) SELECT n FROM c");
  app.run(rows.next());
  const std::string text = in_child([&] {
    app.io.notify_fork(asio::execution_context::fork_child);
    Outcomes outcomes;
    DbInstances& databases = app.state->db_instances;
    outcomes.add("init", app.spawn(app.state->init()));
    outcomes.add("get_pool open", app.spawn(databases.get_pool("x")));
    outcomes.add("get_pool new", app.spawn(databases.get_pool("y")));
    outcomes.add("shutdown", app.spawn(app.state->shutdown()));
    outcomes.add_call("try_get_pool", [&] { static_cast<void>(databases.try_get_pool("x")); });
    outcomes.add_call("add_migrator", [&] { databases.add_migrator("z", migrations({})); });
    outcomes.add_call("db_path", [&] { static_cast<void>(databases.db_path("x")); });
    outcomes.add_call("names", [&] { static_cast<void>(databases.names()); });
    outcomes.add_call("stats", [&] { static_cast<void>(databases.stats()); });
    outcomes.add("execute", app.spawn(pool.execute("INSERT INTO t VALUES (1)")));
    outcomes.add("query_all", app.spawn(pool.query_all<int>("SELECT x FROM t")));
    auto write = [](Connection&) {};
    outcomes.add("write", app.spawn(pool.write(write)));
    auto read = [](Reader&) {};
    outcomes.add("read", app.spawn(pool.read(read)));
    outcomes.add("begin", app.spawn(pool.begin()));
    outcomes.add("acquire", app.spawn(pool.acquire(reader)));
    outcomes.add("transaction", app.spawn(transaction.execute("INSERT INTO t VALUES (1)")));
    outcomes.add("lease", app.spawn(lease.query_all<int>("SELECT x FROM t")));
    outcomes.add("stream", app.spawn(rows.next()));
    outcomes.add("commit", app.spawn(std::move(transaction).commit()));
    return outcomes.text();
  });
  CAPTURE(text);
  std::istringstream lines(text);
  int calls = 0;
  for (std::string line; std::getline(lines, line); ++calls) {
    CAPTURE(line);
    CHECK(contains(line, ": " + Outcomes::forked()));
  }
  CHECK(calls == 19);
  CHECK(app.run(rows.next())->back() == 1500);
  app.run(transaction.execute("INSERT INTO t VALUES (2)"));
  app.run(std::move(transaction).commit());
  lease.release();
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(pool.path());
  CHECK(column(pool.path(), "SELECT x FROM t") == std::vector<std::string>{"2"});
}

TEST_CASE("fork: the child's destructors close nothing, and the parent keeps its locks and writes on") {
  SteppedApp app;
  std::optional<Pool> pool(app.open("x"));
  app.run(pool->execute("CREATE TABLE t(x)"));
  std::optional<Transaction> transaction(app.run(pool->begin()));
  std::optional<ReaderLease> lease(app.run(pool->acquire(reader)));
  app.run(transaction->execute("INSERT INTO t VALUES (1)"));
  app.run(lease->query_all<int>("SELECT x FROM t"));
  std::optional<RowStream<int>> rows(
      pool->stream<int>("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1500) SELECT n FROM c, "
                        "(SELECT count(*) FROM t)"));
  app.run(rows->next());
  const auto locks = locks_of_this_process();
  CHECK_FALSE(locks.empty());
  const auto descriptors = open_descriptors(app.dir.path());
  const std::string in_the_child = in_child([&] {
    transaction.reset();
    lease.reset();
    rows.reset();
    pool.reset();
    app.state.reset();
    app.settle();
    return std::to_string(open_descriptors(app.dir.path()));
  });
  CHECK(in_the_child == std::to_string(descriptors));
  CHECK(locks_of_this_process() == locks);
  CHECK(fs::exists(app.dir / "x.db-wal"));
  CHECK(app.run(rows->next())->back() == 1500);
  app.run(transaction->execute("INSERT INTO t VALUES (2)"));
  app.run(std::move(*transaction).commit());
  CHECK(app.run(pool->query_all<int>("SELECT x FROM t")) == std::vector{1, 2});
  lease.reset();
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(app.dir / "x.db");
  CHECK(value(app.dir / "x.db", "SELECT count(*) FROM t") == "2");
}

TEST_CASE("fork: a new AppState in the child works on another directory, and is kept from the parent's open files") {
  SteppedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  const testing::TempDir elsewhere;
  const std::string text = in_child([&] {
    app.io.notify_fork(asio::execution_context::fork_child);
    app.db.notify_fork(asio::execution_context::fork_child);
    Outcomes outcomes;
    for (const auto& directory : {elsewhere.path(), app.dir.path()}) {
      auto fresh = another(app, directory);
      app.spawn(fresh->init());
      app.settle();
      auto get = app.spawn(fresh->db_instances.get_pool("x"));
      app.settle();
      outcomes.add(directory == elsewhere.path() ? "elsewhere" : "the parent's", get);
      auto shutdown = app.spawn(fresh->shutdown());
      app.settle();
      outcomes.add("shutdown", shutdown);
    }
    return outcomes.text();
  });
  CHECK(contains(text, "elsewhere: Success"));
  CHECK(contains(text, "the parent's: " + make_error_code(errc::file_in_use).message().substr(0, 30)));
  check_closed(elsewhere / "x.db");
  app.run(pool.execute("INSERT INTO t VALUES (1)"));
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(pool.path());
}

TEST_CASE("fork: children that come and go while other threads write do no harm") {
  ThreadedApp app;
  const Pool pool = app.open("x");
  app.run(pool.execute("CREATE TABLE t(x)"));
  std::atomic<bool> enough{false};
  int written = 0;
  const auto writing = [&]() -> asio::awaitable<void> {
    while (!enough) {
      co_await pool.execute("INSERT INTO t VALUES (1)");
      ++written;
    }
  };
  auto writer_end = app.spawn(writing);
  for (int i = 0; i < 5; ++i) {
    // Any mutex of the library may be held by another thread at this moment: the child must not need one.
    const std::string text = in_child([&] {
      asio::io_context io;
      Spawner spawner;
      auto get = spawner(io.get_executor(), app.state->db_instances.get_pool("x"));
      auto write = spawner(io.get_executor(), pool.execute("INSERT INTO t VALUES (2)"));
      io.run();
      Outcomes outcomes;
      outcomes.add("get_pool", get);
      outcomes.add("execute", write);
      outcomes.add_call("names", [&] { static_cast<void>(app.state->db_instances.names()); });
      outcomes.add_call("stats", [&] { static_cast<void>(app.state->db_instances.stats()); });
      app.state.reset();
      return outcomes.text();
    });
    for (const char* name : {"get_pool: ", "execute: ", "names: ", "stats: "})
      CHECK(contains(text, name + Outcomes::forked()));
  }
  enough = true;
  writer_end.get();
  CHECK(app.run(app.state->shutdown()).clean());
  check_closed(pool.path());
  CHECK(value(pool.path(), "SELECT count(*) FROM t WHERE x = 1") == std::to_string(written));
}

}  // namespace
}  // namespace statehouse::test
