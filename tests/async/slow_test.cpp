// Statements that take long: what waits behind them gets away, and they go alone once they are known.

#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <utility>

#include "batch_fixture.hpp"

namespace statehouse::test {
namespace {

using Texts = std::vector<std::string>;

constexpr const char* slow_count_text = "UPDATE counter SET n = n + 1";

TEST_CASE_METHOD(Batching, "slow: a statement that took long goes alone from then on, until it is fast again") {
  const std::string slow = "UPDATE counter SET n = n + min(1, hook())";
  hook.call = [&](int) { app.clock->advance(2ms); };
  execute(slow);
  app.settle();
  const auto among_others = [&] {
    forget();
    std::vector<Task<ExecuteResult>> tasks{count_up(), count_up(), execute(slow), count_up(), count_up()};
    app.settle();
    for (auto& task : tasks) CHECK(task.get().changes == 1);
  };
  among_others();
  const Texts apart{"BEGIN IMMEDIATE", slow_count_text, slow_count_text, "COMMIT", slow,
                    "BEGIN IMMEDIATE", slow_count_text, slow_count_text, "COMMIT"};
  CHECK(writes == apart);
  hook.call = {};
  among_others();
  CHECK(writes == apart);  // alone once more, and was fast
  among_others();
  CHECK(writes ==
        Texts{"BEGIN IMMEDIATE", slow_count_text, slow_count_text, slow, slow_count_text, slow_count_text, "COMMIT"});
}

TEST_CASE_METHOD(Batching, "time limit: what a batch has no time for goes before what came later, in its order") {
  //   writer                               callers
  //                                        1, slow, 2, 3 wait together
  //   1; slow, in a hook
  //                                        4 comes; 1 ms, 2 ms, 3 ms
  //   COMMIT
  //   2, 3, 4 in another transaction
  std::vector<Task<ExecuteResult>> tasks{insert(1), execute("UPDATE counter SET n = n + min(1, hook())"), insert(2),
                                         insert(3)};
  hook.call = [&](int) {
    elsewhere([&] { tasks.push_back(insert(4)); });
    app.clock->advance(3ms);
  };
  app.settle();
  CHECK(commits == 2);
  for (auto& task : tasks) CHECK(task.get().changes == 1);
  CHECK(rows() == std::vector{1, 2, 3, 4});
  check_all_clean(app, pool);
}

/// Two readers. `SELECT hook()` is the statement that takes long, in the first of them.
struct TwoReaders : Batching {
  explicit TwoReaders(PoolOptions options = {}) : Batching(two(std::move(options))) {}

  Task<int> query(const char* sql) { return app.spawn(pool.query_one<int>(sql)); }
  /// From within the statement: the other reader does all there is for it.
  void run_the_other() {
    elsewhere([&] {
      while (app.step_db()) {
      }
    });
    run_callers();
  }

 private:
  static PoolOptions two(PoolOptions options) {
    options.readers = 2;
    return options;
  }
};

TEST_CASE_METHOD(TwoReaders, "slow: who waits behind a statement that takes long gets away to a reader that is free") {
  //   reader 1                          reader 2
  //   takes slow; it begins
  //                                     takes a and b; runs them
  //   slow ends
  auto slow = query("SELECT hook()");
  auto a = query("SELECT 2");
  auto b = query("SELECT 3");
  hook.call = [&](int) {
    run_the_other();
    CHECK(a.done());
    CHECK(b.done());
  };
  app.settle();
  CHECK(slow.get() == 1);
  CHECK(a.get() == 2);
  CHECK(b.get() == 3);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(TwoReaders, "slow: who waits behind a statement that takes long gets away to one that is given back") {
  //   reader 1                          reader 2
  //                                     leased
  //   takes slow; it begins
  //                                     given back
  //                                     takes a and b; runs them
  //   slow ends
  auto lease = app.run(pool.acquire(reader));
  auto slow = query("SELECT hook()");
  auto a = query("SELECT 2");
  auto b = query("SELECT 3");
  hook.call = [&](int) {
    lease.release();
    run_the_other();
    CHECK(a.done());
    CHECK(b.done());
  };
  app.settle();
  CHECK(slow.get() == 1);
  check_all_clean(app, pool);
}

TEST_CASE("slow: a reader that cannot be opened again takes nothing from one that works") {
  //   reader 1                          reader 2
  //                                     broken
  //   takes slow; it begins
  //                                     cannot be opened: leaves a and b to the other
  //   slow ends; a, b
  bool opens = true;
  PoolOptions options;
  options.connection.on_connect = [&](Connection&, connection_role) {
    if (!opens) throw std::runtime_error("cannot open now");
  };
  TwoReaders two(std::move(options));
  auto& app = two.app;
  app.run(two.pool.query_one<int>("SELECT 1"));  // reader 1, so that reader 2 is the next
  const auto breaks_the_connection = [](Reader& db) -> int {
    const auto deny = [](void*, int action, const char*, const char*, const char*, const char*) {
      return action == SQLITE_TRANSACTION ? SQLITE_DENY : SQLITE_OK;
    };
    sqlite3_set_authorizer(db.native().getHandle(), deny, nullptr);
    throw std::runtime_error("mine");
  };
  opens = false;
  CHECK_THROWS(app.run(two.pool.read(breaks_the_connection)));
  REQUIRE(two.pool.stats().readers.replaced == 1);
  auto slow = two.query("SELECT hook()");
  auto a = two.query("SELECT 2");
  auto b = two.query("SELECT 3");
  two.hook.call = [&](int) { two.run_the_other(); };
  app.settle();
  CHECK(slow.get() == 1);
  CHECK(a.get() == 2);
  CHECK(b.get() == 3);
  opens = true;
  check_all_clean(app, two.pool);
}

}  // namespace
}  // namespace statehouse::test
