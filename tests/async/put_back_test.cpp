// On every route the connection is for the next user as on opening.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* shadow = "CREATE TEMP TABLE orders(id)";
constexpr const char* insert_order = "INSERT INTO orders VALUES (1)";

struct Orders {
  SqlHook hook;
  SteppedApp app;
  Pool pool;

  explicit Orders(PoolOptions options = with_one_reader()) : app(hook.in(std::move(options))), pool(app.open()) {
    app.run(pool.execute("CREATE TABLE orders(id)"));
  }
  static PoolOptions with_one_reader() {
    PoolOptions options;
    options.readers = 1;
    return options;
  }
  /// Of the database itself, whatever hides it.
  int rows() { return app.run(pool.query_one<int>("SELECT count(*) FROM main.orders")); }
  /// Somebody else, later.
  void check_next(int already = 0) {
    CHECK(app.run(pool.execute(insert_order)).changes == 1);
    CHECK(rows() == already + 1);
  }
  template <class Statement>
  bool works(Statement statement) {
    auto task = app.spawn(std::move(statement));
    app.settle();
    return !task.failed();
  }
  /// What of the C interface's only a new connection is rid of.
  static void leave_all(Reader& db) {
    sqlite3* const handle = db.native().getHandle();
    sqlite3_create_function(
        handle, "left_function", 0, SQLITE_UTF8, nullptr,
        [](sqlite3_context* context, int, sqlite3_value**) { sqlite3_result_int(context, 1); }, nullptr, nullptr);
    sqlite3_create_function(
        handle, "lower", 1, SQLITE_UTF8, nullptr,
        [](sqlite3_context* context, int, sqlite3_value**) { sqlite3_result_text(context, "MINE", -1, nullptr); },
        nullptr, nullptr);
    sqlite3_create_collation(handle, "left_collation", SQLITE_UTF8, nullptr,
                             [](void*, int, const void*, int, const void*) { return 0; });
    sqlite3_limit(handle, SQLITE_LIMIT_COMPOUND_SELECT, 1);
    sqlite3_update_hook(
        handle, [](void*, int, const char*, const char*, sqlite3_int64) { FAIL_CHECK("called"); }, nullptr);
    sqlite3_commit_hook(
        handle, [](void*) { return 1; }, nullptr);
  }
  void check_nothing_left(bool reader) {
    const auto ask = [&](const char* sql) {
      return reader ? works(pool.query_all<std::string>(sql)) : works(pool.execute_returning<std::string>(sql));
    };
    const auto clean = [](Reader& db) {
      return db.query_one<std::string>("SELECT lower('X')") == "x" && db.query_one<int>("SELECT 1 UNION SELECT 1") == 1;
    };
    CHECK_FALSE(ask("SELECT cast(left_function() AS TEXT)"));
    CHECK_FALSE(ask("SELECT '' ORDER BY 1 COLLATE left_collation"));
    const bool all_gone = reader ? app.run(pool.read(clean)) : app.run(pool.write(clean));
    CHECK(all_gone);
    CHECK(app.run(pool.query_one<int>("SELECT hook()")) > 0);  // on_connect's
    check_next();
  }
};

TEST_CASE_METHOD(Orders, "put back: a temporary table of one caller takes nothing of the next, whatever the verb") {
  SECTION("execute") {
    app.run(pool.execute(shadow));
  }
  SECTION("write(f)") {
    const auto make = [](Connection& db) { db.execute(shadow); };
    app.run(pool.write(make));
  }
  SECTION("write(f), in a script") {
    const auto make = [](Connection& db) { db.execute_script(shadow); };
    app.run(pool.write(make));
  }
  SECTION("write_without_transaction(f)") {
    const auto make = [](Connection& db) { db.execute(shadow); };
    app.run(pool.write_without_transaction(make));
  }
  SECTION("a transaction") {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute(shadow));
    app.run(transaction.execute(insert_order));
    CHECK(app.run(transaction.query_one<int>("SELECT count(*) FROM orders")) == 1);  // its own
    app.run(std::move(transaction).commit());
  }
  SECTION("a lease") {
    auto lease = app.run(pool.acquire(writer));
    app.run(lease.execute(shadow));
    app.run(lease.execute(insert_order));
    CHECK(app.run(lease.query_one<int>("SELECT count(*) FROM orders")) == 1);  // its own
  }
  check_next();
  CHECK(pool.stats().writer.replaced == 0);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Orders, "put back: a temporary table takes nothing of those who share a commit with it") {
  const bool closure = GENERATE(false, true);
  const auto make = [](Connection& db) { db.execute(shadow); };
  auto before = app.spawn(pool.execute(insert_order));
  auto makes = closure ? app.spawn(pool.write(make, {.group_commit = true}))
                       : app.spawn([&]() -> asio::awaitable<void> { co_await pool.execute(shadow); });
  auto after = app.spawn(pool.execute(insert_order));
  auto last = app.spawn(pool.execute(insert_order));
  app.settle();
  CHECK(before.get().changes == 1);
  CHECK_NOTHROW(makes.get());
  CHECK(after.get().changes == 1);
  CHECK(last.get().changes == 1);
  CHECK(rows() == 3);
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Orders, "put back: also after an error, a cancellation, a handle that is dropped") {
  SECTION("an error") {
    const auto fails = [](Connection& db) {
      db.execute(shadow);
      throw std::runtime_error("mine");
    };
    CHECK_FALSE(works(pool.write(fails)));
    CHECK_FALSE(works(pool.write_without_transaction(fails)));
  }
  SECTION("a cancellation") {
    const auto make = [](Connection& db) {
      db.execute(shadow);
      db.execute(std::string("INSERT INTO orders ") + endless_hook);
    };
    std::optional<Task<void>> task;
    hook.call = [&](int) { task->cancel(); };
    task = app.spawn(pool.write_without_transaction(make));
    app.settle();
    CHECK(task->code() == boost::asio::error::operation_aborted);
  }
  SECTION("a transaction that goes") {
    auto transaction = app.run(pool.begin());
    app.run(transaction.execute(shadow));
  }
  check_next();
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(Orders, "put back: deferred foreign keys of one caller are not the next one's") {
  app.run(pool.execute("CREATE TABLE line(id REFERENCES orders(id))"));
  app.run(pool.execute("PRAGMA defer_foreign_keys = ON"));
  const auto asks = [](Connection& db) { return db.query_one<int>("PRAGMA defer_foreign_keys"); };
  CHECK(app.run(pool.write(asks)) == 0);
}

TEST_CASE_METHOD(Orders, "put back: what was set through native() is gone with its user, whatever the verb") {
  const bool reader = GENERATE(true, false);
  const auto leaves = [](Reader& db) { leave_all(db); };
  if (reader) {
    SECTION("read(f)") {
      app.run(pool.read(leaves));
    }
    SECTION("read(f), together with others") {
      auto one = app.spawn(pool.read(leaves, {}));
      auto two = app.spawn(pool.query_one<std::string>("SELECT lower('X')"));
      app.settle();
      CHECK_NOTHROW(one.get());
      CHECK(two.get() == "x");
    }
    SECTION("a lease") {
      auto lease = app.run(pool.acquire(statehouse::reader));
      app.run(lease.read(leaves));
      CHECK(app.run(lease.query_one<int>("SELECT left_function()")) == 1);  // still his own
    }
  } else {
    SECTION("write(f)") {
      CHECK_FALSE(works(pool.write(leaves)));  // its own hook refuses the commit
    }
    SECTION("write_without_transaction(f)") {
      app.run(pool.write_without_transaction(leaves));
    }
    SECTION("a lease") {
      auto lease = app.run(pool.acquire(writer));
      app.run(lease.read(leaves));
      CHECK(app.run(lease.query_one<int>("SELECT left_function()")) == 1);
    }
    SECTION("a transaction") {
      auto transaction = app.run(pool.begin());
      app.run(transaction.savepoint(leaves));
    }
  }
  check_nothing_left(reader);
  const DatabaseStats stats = pool.stats();
  CHECK(stats.readers.replaced + stats.writer.replaced >= 1);
}

struct OrdersInMemory : Orders {
  OrdersInMemory() : Orders(in_memory()) {}
  static PoolOptions in_memory() {
    PoolOptions options;
    options.in_memory = true;
    return options;
  }
};

TEST_CASE_METHOD(OrdersInMemory, "put back: in memory a new connection has all that was committed") {
  app.run(pool.execute("INSERT INTO orders VALUES (7)"));
  const auto leaves = [](Reader& db) { leave_all(db); };
  app.run(pool.read(leaves));
  CHECK(app.run(pool.query_one<int>("SELECT id FROM orders")) == 7);
  app.run(pool.execute(shadow));
  check_next(1);
  app.run(pool.execute("DELETE FROM orders"));
  check_nothing_left(true);
}

TEST_CASE("put back: with one connection on a file, the database and its log stay open while it is replaced") {
  PoolOptions options;
  options.mode = pool_mode::single;
  Orders orders(options);
  const auto leaves = [](Reader& db) { Orders::leave_all(db); };
  for (int round = 0; round < 3; ++round) {
    orders.app.run(orders.pool.read(leaves));
    orders.check_next(round);
    orders.app.clock->advance(1s);
    orders.app.settle();
  }
  CHECK(orders.pool.stats().state == database_state::ready);
  CHECK(orders.app.run(orders.app.state->shutdown()).clean());
}

}  // namespace
}  // namespace statehouse::test
