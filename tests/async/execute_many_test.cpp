// One statement for many rows: all of them or none, on every way to the writer.

#include <array>
#include <boost/range/iterator_range.hpp>
#include <catch2/catch_test_macros.hpp>
#include <initializer_list>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <numeric>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "error_of.hpp"
#include "sql_hook.hpp"
#include "statehouse/statehouse.hpp"

namespace statehouse::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* insert = "INSERT INTO t VALUES (?, ?)";

struct Item {
  int id;
  std::optional<std::string> name;
};

/// A table `t(id INTEGER PRIMARY KEY, name)`.
struct ManyRows {
  SqlHook hook;
  int commits = 0;
  SteppedApp app{hook.in(counting())};
  Pool pool = app.open();

  PoolOptions counting() {
    PoolOptions options;
    options.connection.on_connect = [this](Connection& connection, connection_role) {
      const auto count_it = [](void* self) { return static_cast<ManyRows*>(self)->commits++, 0; };
      sqlite3_commit_hook(connection.native().getHandle(), count_it, this);
    };
    return options;
  }
  ManyRows() { app.run(pool.execute("CREATE TABLE t(id INTEGER PRIMARY KEY CHECK(id != 13), name)")); }
  std::string kept() {
    return app.run(pool.query_one<std::string>(
        "SELECT coalesce(group_concat(id || coalesce(name, ''), ' '), '') FROM (SELECT * FROM t ORDER BY id)"));
  }
  void clear() { app.run(pool.execute("DELETE FROM t")); }
  const std::vector<Item> items{{1, "a"}, {2, std::nullopt}, {3, "c"}};
  const std::vector<Item> thirteenth{{1, "a"}, {2, "b"}, {13, "c"}, {4, "d"}};
};

TEST_CASE_METHOD(ManyRows, "execute_many: of a pool, a transaction, a lease and a connection") {
  const auto check = [&](const ExecuteResult& result) {
    CHECK(result.changes == 3);
    CHECK(result.last_insert_rowid == 3);
    CHECK(kept() == "1a 2 3c");
    clear();
  };
  check(app.run(pool.execute_many(insert, items)));
  auto transaction = app.run(pool.begin());
  const ExecuteResult inside = app.run(transaction.execute_many(insert, items));
  app.run(std::move(transaction).commit());
  check(inside);
  auto lease = app.run(pool.acquire(writer));
  const ExecuteResult on_lease = app.run(lease.execute_many(insert, items));
  lease.release();
  check(on_lease);
  check(app.run(pool.write([&](Connection& db) { return db.execute_many(insert, items); })));
  check(app.run(pool.write_without_transaction([&](Connection& db) { return db.execute_many(insert, items); })));
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(ManyRows, "execute_many: rows are tuples, pairs, aggregates or single values, in any range") {
  const auto stored = [&](const auto& rows) {
    app.run(pool.execute_many(insert, rows));
    const std::string all = kept();
    clear();
    return all;
  };
  CHECK(stored(std::vector{std::tuple(1, std::string_view("x")), std::tuple(2, std::string_view("y"))}) == "1x 2y");
  CHECK(stored(std::map<int, const char*>{{1, "x"}, {2, "y"}}) == "1x 2y");
  CHECK(stored(std::list{std::pair(5, 6.5)}) == "56.5");
  CHECK(stored(std::array<Item, 1>{{{7, "z"}}}) == "7z");
  CHECK(stored(std::span(items)) == "1a 2 3c");
  CHECK(stored(std::views::iota(1, 4) | std::views::transform([](int i) { return std::tuple(i, i * i); })) ==
        "11 24 39");
  app.run(pool.execute_many("INSERT INTO t(id) VALUES (?)", std::vector{4, 5}));
  CHECK(kept() == "4 5");
  app.run(pool.execute_many("DELETE FROM t WHERE id = ?", std::vector<std::optional<int>>{4, std::nullopt}));
  CHECK(kept() == "5");
}

TEST_CASE_METHOD(ManyRows, "execute_many: without rows nothing is done, but what is no statement is an error") {
  CHECK(app.run(pool.execute_many(insert, std::vector<Item>())).changes == 0);
  CHECK(app.code(pool.execute_many("INSERT INTO nowhere VALUES (?)", std::vector<int>())) ==
        make_sqlite_error(SQLITE_ERROR));
}

TEST_CASE_METHOD(ManyRows,
                 "execute_many: changes are summed, the last row that was inserted counts, rows are ignored") {
  const auto result =
      app.run(pool.execute_many("INSERT INTO t VALUES (?, ?) ON CONFLICT DO UPDATE SET name = 'again' RETURNING id",
                                std::vector<Item>{{8, "a"}, {9, "b"}, {8, "c"}}));
  CHECK(result.changes == 3);
  CHECK(result.last_insert_rowid == 9);
  CHECK(kept() == "8again 9b");
}

TEST_CASE_METHOD(ManyRows, "execute_many: a row that fails is named, and no other is kept") {
  auto failed = app.ended(pool.execute_many(insert, thirteenth));
  CHECK(failed.code() == condition::constraint);
  CHECK(failed.text() ==
        "database 'test': rows[2]: CHECK constraint failed: id != 13 (SQLite 275) [INSERT INTO t VALUES (?, ?)]");
  CHECK(kept().empty());
  CHECK(contains(app.ended(pool.execute_many(insert, std::vector{std::tuple(1, 1ULL), std::tuple(2, ~0ULL)})).text(),
                 "rows[1]: parameter 2 is above"));
  CHECK(
      contains(app.ended(pool.execute_many(insert, std::vector{1})).text(), "rows[0]: the statement has 2 parameters"));
  auto lease = app.run(pool.acquire(writer));
  CHECK(app.code(lease.execute_many(insert, thirteenth)) == condition::constraint);
  lease.release();
  CHECK(kept().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(ManyRows, "execute_many: a transaction and a closure go on without the rows when one of them fails") {
  auto transaction = app.run(pool.begin());
  app.run(transaction.execute(insert, 100, "before"));
  CHECK(app.code(transaction.execute_many(insert, thirteenth)) == condition::constraint);
  app.run(transaction.execute(insert, 101, "after"));
  app.run(std::move(transaction).commit());
  app.run(pool.write([&](Connection& db) {
    CHECK(code_of([&] { db.execute_many(insert, thirteenth); }) == condition::constraint);
    db.execute(insert, 102, nullptr);
  }));
  CHECK(kept() == "100before 101after 102");
  check_all_clean(app, pool);
}

TEST_CASE("execute_many: a connection of its own commits all rows or none") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a UNIQUE)");
  CHECK(db.execute_many("INSERT INTO t VALUES (?)", std::vector{1, 2}).changes == 2);
  CHECK(code_of([&] { db.execute_many("INSERT INTO t VALUES (?)", std::vector{3, 1}); }) == condition::unique);
  CHECK(in_autocommit(db));
  CHECK(db.query_all<int>("SELECT a FROM t") == std::vector{1, 2});
}

TEST_CASE_METHOD(ManyRows, "execute_many: a cancellation stops between two rows, and none is kept") {
  constexpr const char* each = "INSERT INTO t VALUES (?, hook())";
  std::vector<int> ids(100);
  std::iota(ids.begin(), ids.end(), 100);
  for (const bool in_transaction : {false, true}) {
    hook.calls = 0;
    auto transaction = in_transaction ? app.run(pool.begin()) : Transaction();
    auto task = app.spawn(in_transaction ? transaction.execute_many(each, ids) : pool.execute_many(each, ids));
    hook.call = [&](int number) {
      if (number == 10) task.cancel();
    };
    app.settle();
    hook.call = {};
    CHECK(task.code() == boost::system::error_code(ECANCELED, boost::system::system_category()));
    CHECK(hook.calls == 10);
    if (in_transaction) {
      app.run(transaction.execute(insert, 1, "goes on"));
      app.run(std::move(transaction).commit());
    }
    CHECK(kept() == (in_transaction ? "1goes on" : ""));
    check_all_clean(app, pool);
  }
}

TEST_CASE_METHOD(ManyRows, "execute_many: run_timeout is for all rows together") {
  std::vector<int> ids(100);
  std::iota(ids.begin(), ids.end(), 100);
  hook.call = [&](int) { app.clock->advance(10ms); };
  CHECK(app.code(pool.execute_many({.run_timeout = 55ms}, "INSERT INTO t VALUES (?, hook())", ids)) ==
        errc::deadline_exceeded);
  CHECK(hook.calls < 10);
  CHECK(kept().empty());
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(ManyRows, "execute_many: with group_commit two share a transaction, and one that fails is alone") {
  auto lease = app.run(pool.acquire(writer));
  auto first = app.spawn(pool.execute_many({.group_commit = true}, insert, items));
  auto failing = app.spawn(pool.execute_many({.group_commit = true}, insert, std::vector<Item>{{5, "e"}, {13, ""}}));
  auto last = app.spawn(pool.execute_many({.group_commit = true}, insert, std::vector<Item>{{6, "f"}}));
  commits = 0;
  lease.release();
  app.settle();
  CHECK(commits == 1);
  CHECK(first.get().changes == 3);
  CHECK(failing.code() == condition::constraint);
  CHECK(last.get().changes == 1);
  CHECK(kept() == "1a 2 3c 6f");
  check_all_clean(app, pool);
}

TEST_CASE_METHOD(ManyRows, "execute_many: each is a transaction of its own, whatever else waits") {
  auto lease = app.run(pool.acquire(writer));
  auto first = app.spawn(pool.execute_many(insert, items));
  auto second = app.spawn(pool.execute_many(insert, std::vector<Item>{{5, "e"}, {6, "f"}}));
  commits = 0;
  lease.release();
  app.finish(first);
  app.finish(second);
  CHECK(commits == 2);
  CHECK(kept() == "1a 2 3c 5e 6f");
}

TEST_CASE_METHOD(ManyRows, "execute_many: an awaited one owns the rows: takes over what is moved in, copies all else") {
  std::string text = "before";
  std::vector<std::tuple<int, std::string_view>> rows{{1, text}};
  auto task = app.start(pool.execute_many(insert, rows));
  text = "after!";
  rows.clear();
  app.finish(task);
  CHECK(kept() == "1before");

  std::vector<Item> own{{2, "b"}};
  const Item* const place = own.data();
  const auto taken = detail::to_owned_rows(std::move(own));
  CHECK(taken.data() == place);
  static_assert(std::same_as<decltype(detail::to_owned_rows(std::array{1, 2})), std::array<int, 2>>);
  const auto copied = detail::to_owned_rows(std::span(taken));
  static_assert(std::same_as<decltype(copied), const std::vector<Item>>);
  const auto strings = detail::to_owned_rows(std::vector<std::pair<const char*, int>>{{"a", 1}});
  static_assert(std::same_as<decltype(strings), const std::vector<std::tuple<std::optional<std::string>, int>>>);
}

TEST_CASE_METHOD(ManyRows, "execute_many: an awaited one copies rows whose range only refers to them") {
  const std::string text(100, 'x');
  std::vector<std::string> rows{text, text};
  const auto stored = [&](asio::awaitable<ExecuteResult> operation) {
    rows.assign(2, std::string(100, 'y'));
    app.run(std::move(operation));
    const bool all = app.run(pool.query_one<int>("SELECT count(*) FROM t WHERE name = ?", text)) == 2;
    clear();
    rows.assign(2, text);
    return all;
  };
  constexpr const char* insert_name = "INSERT INTO t(name) VALUES (?)";
  CHECK(stored(pool.execute_many(insert_name, boost::make_iterator_range(rows))));
  CHECK(stored(pool.execute_many(insert_name, std::span(rows))));
  // The array of a list goes at the end of the call.
  const auto of_list = [&](const std::string& a) {
    return pool.execute_many(insert_name, std::initializer_list<std::string>{a, a});
  };
  CHECK(stored(of_list(text)));
  using Buffer = std::pmr::vector<std::string>;
  std::optional<std::pmr::monotonic_buffer_resource> memory(std::in_place);
  auto of_buffer = pool.execute_many(insert_name, Buffer({text, text}, &*memory));
  memory.reset();
  CHECK(stored(std::move(of_buffer)));
}

TEST_CASE_METHOD(ManyRows, "execute_many: in a coroutine, as its arguments and those of others are written there") {
  app.run([&]() -> asio::awaitable<void> {
    co_await pool.execute_many(insert, items);
    std::vector<Item> more{{4, std::string(100, 'x')}};
    const auto result = co_await pool.execute_many(insert, std::move(more));
    CHECK(result.changes == 1);
    co_await pool.execute("UPDATE t SET name = :name WHERE id = :id OR id = :id + 1", named(":id", 1),
                          named(":name", std::string(100, 'n')));
    const std::vector ids{3, 4};
    co_await pool.execute("DELETE FROM t WHERE id IN (SELECT value FROM json_each(?))", in(ids));
  });
  CHECK(kept() == "1" + std::string(100, 'n') + " 2" + std::string(100, 'n'));
}

struct View {
  int id;
  std::string_view name;
};
template <class T>
concept CanBeMany = requires(const Pool& pool, T rows) {
  pool.execute_many(insert, rows);
};
static_assert(CanBeMany<std::vector<Item>> &&
              CanBeMany<std::vector<View>>);  // a View says why it does not: see consumer/refused
static_assert(!CanBeMany<std::string> && !CanBeMany<int> && !CanBeMany<std::vector<void*>>);
static_assert(!CanBeMany<std::vector<std::tuple<int, void*>>>);

TEST_CASE_METHOD(ManyRows, "execute_many: of a connection, rows may be views, and none is copied") {
  const std::string text = "lent";
  app.run(pool.write([&](Connection& db) { db.execute_many(insert, std::vector<View>{{1, text}}); }));
  CHECK(kept() == "1lent");
}

}  // namespace
}  // namespace statehouse::test
