// Rows that come one by one, or in batches, while other statements run; on every engine.

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "behaviour.hpp"

namespace statehouse::test {
namespace {

constexpr const char* in_order = "SELECT a FROM t ORDER BY a";

/// A table `t(a)` with 1 to 1500, and an empty one `log(a)`.
struct Rows : Behaviour {
  Rows() {
    execute("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT");
    execute("CREATE TABLE log(a INTEGER) STRICT");
    execute("INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 1500) SELECT n FROM c");
  }
};

TEST_CASE_METHOD(Rows, "rows: a function that has each writes, and undoes some of it") {
  const auto odd = [](Connection& db) {
    return db.for_each<int>("SELECT a FROM t WHERE a <= ? ORDER BY a", 6, [&](int a) {
      const auto write = [&] {
        db.execute("INSERT INTO log VALUES (?)", a);
        if (a % 2 == 0) throw std::runtime_error("undo");
      };
      try {
        db.savepoint(write);
      } catch (const std::runtime_error&) {
      }
    });
  };
  CHECK(run(pool.write(odd)) == 6);
  CHECK(numbers("SELECT a FROM log ORDER BY a") == std::vector{1, 3, 5});
  check_all_clean();
}

TEST_CASE_METHOD(Rows, "rows: the same query inside of itself, stopped by the function, and what may not be read so") {
  int pairs = 0;
  const auto nested = [&](Reader& db) {
    const auto rows = db.for_each<int>(in_order, [&](int a) {
      db.for_each<int>(in_order, [&](int b) { return ++pairs, b < 10; });
      return a < 10;
    });
    CHECK(code_of([&] { db.for_each<int>("INSERT INTO log VALUES (1)", [](int) {}); }) == errc::write_on_reader);
    CHECK_THROWS_AS(db.for_each<int>(in_order, [](int) { throw std::runtime_error("no"); }), std::runtime_error);
    return rows;
  };
  CHECK(run(pool.read(nested)) == 10);
  CHECK(pairs == 100);
  const auto writes = [](Connection& db) { db.for_each<int>("INSERT INTO log VALUES (1)", [](int) {}); };
  CHECK(code(pool.write(writes)) == errc::write_on_reader);
  CHECK(number("SELECT count(*) FROM log") == 0);
  check_all_clean();
}

TEST_CASE_METHOD(Rows, "rows: a stream is of one snapshot, whoever writes") {
  auto rows = pool.stream<int>(in_order);
  const auto first = run(rows.next());
  REQUIRE(first);
  execute("DELETE FROM t");
  const auto second = run(rows.next());
  REQUIRE(second);
  CHECK(first->size() == 1000);
  CHECK(first->front() == 1);
  CHECK(second->size() == 500);
  CHECK(second->back() == 1500);
  CHECK_FALSE(run(rows.next()));
  CHECK(number("SELECT count(*) FROM t") == 0);
  check_all_clean();
}

TEST_CASE_METHOD(Rows, "rows: a stream that fails, is cancelled, or goes leaves nothing") {
  auto writes = pool.stream<int>("INSERT INTO log VALUES (1)");
  CHECK(code(writes.next()) == errc::write_on_reader);
  auto of_nothing = pool.stream<int>("SELECT a FROM missing");
  CHECK(code(of_nothing.next()) == make_sqlite_error(SQLITE_ERROR));
  auto of_texts = pool.stream<std::string>(in_order);
  CHECK(code(of_texts.next()) == errc::column_type);
  check_all_clean();
  auto rows = pool.stream<int>(in_order);
  auto next = app.spawn(rows.next());
  next.cancel();
  app.settle();
  CHECK(next.code() == stopped);
  check_all_clean();
  std::optional<RowStream<int>> goes(pool.stream<int>(in_order));
  CHECK(run(goes->next())->size() == 1000);
  goes.reset();
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
