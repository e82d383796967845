// Rows handed over one by one, while the function that has them runs other statements on the connection.

#include <sqlite3.h>

#include <boost/describe/class.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "database_file.hpp"
#include "error_of.hpp"
#include "open_session.hpp"
#include "statehouse/by_name.hpp"

using namespace statehouse;
using namespace std::chrono_literals;
using test::code_of;
using test::error_of;
using test::session;

namespace {

struct Line {
  int a;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Line, (), (a, text))

constexpr const char* in_order = "SELECT a FROM t ORDER BY a";
/// Calls `busy()`, as often as there are rows.
constexpr const char* busy_write = "INSERT INTO log SELECT a FROM t WHERE busy()";

/// A file with a table `t(a)` of 1 to 5, read in order of an index, and an empty one `log(v)`.
struct ForEach : test::WrittenFile {
  std::function<void()> busy = [] {};

  ForEach() {
    db().execute("CREATE INDEX t_a ON t(a)");
    db().execute("INSERT INTO t VALUES (1), (2), (3), (4), (5)");
    db().execute("CREATE TABLE log(v)");
    sqlite3_create_function(
        session().handle().get(), "busy", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, &busy,
        [](sqlite3_context* context, int, sqlite3_value**) {
          (*static_cast<std::function<void()>*>(sqlite3_user_data(context)))();
          sqlite3_result_int(context, 1);
        },
        nullptr, nullptr);
  }
  void begin() { session().begin(detail::transaction_kind::immediate); }
  void interrupt() { sqlite3_interrupt(session().handle().get()); }
  void pass(std::chrono::milliseconds time) { fixture.clock->advance(time); }
  std::vector<int> logged() { return db().query_all<int>("SELECT v FROM log ORDER BY v"); }
};

const std::vector<int> all_five{1, 2, 3, 4, 5};

}  // namespace

TEST_CASE_METHOD(ForEach, "for_each: each row once and in order, as what query_all would give, and their number") {
  std::vector<int> seen;
  CHECK(db().for_each<int>(in_order, [&](int a) { seen.push_back(a); }) == 5);
  CHECK(seen == all_five);
  std::string texts;
  const auto add = [&](const Line& line) { texts += std::to_string(line.a) + line.text; };
  const std::string x = "x";
  CHECK(db().for_each<Line>("SELECT a, a || ? FROM t WHERE a > ? ORDER BY a", x, 3, add) == 2);
  CHECK(db().for_each<by_name<Line>>("SELECT 'y' AS text, a FROM t WHERE a = ?", 1, add) == 1);
  CHECK(db().for_each<std::tuple<int, std::string>>(
            {.run_timeout = 1s}, "SELECT a, 'z' FROM t WHERE a = 2",
            [&](std::tuple<int, std::string>&& row) { texts += std::get<std::string>(std::move(row)); }) == 1);
  CHECK(texts == "44x55x1yz");
  CHECK(db().for_each<int>("SELECT a FROM t WHERE a > 9", [](int) { FAIL("there is no row"); }) == 0);
  const auto reader = fixture.connect(connection_role::reader);
  int sum = 0;
  CHECK(reader->for_each<int>(in_order, [&](int a) { sum += a; }) == 5);
  CHECK(sum == 15);
}

TEST_CASE_METHOD(ForEach, "for_each: false is the last row, and the statement is let go") {
  std::vector<int> seen;
  CHECK(db().for_each<int>(in_order, [&](int a) { return seen.push_back(a), a < 3; }) == 3);
  CHECK(seen == std::vector{1, 2, 3});
  CHECK(db().execute("DROP TABLE t").changes == 0);
}

TEST_CASE_METHOD(ForEach, "for_each: what the function throws comes through, and the connection goes on") {
  const auto refuse = [&](int a) {
    if (a == 2) throw std::runtime_error("no");
  };
  CHECK_THROWS_AS(db().for_each<int>(in_order, refuse), std::runtime_error);
  CHECK(code_of([&] { db().for_each<std::string>(in_order, [](const std::string&) {}); }) == errc::column_type);
  int rows = 0;
  CHECK(db().for_each<int>(in_order, [&](int) { ++rows; }) == 5);
  CHECK(rows == 5);
  CHECK(db().execute("DROP TABLE t").changes == 0);
}

TEST_CASE_METHOD(ForEach, "for_each: a statement that writes is refused before it does anything") {
  constexpr const char* writing = "INSERT INTO log VALUES (1) RETURNING v";
  const bool inside = GENERATE(true, false);
  if (inside) begin();
  const auto never = [](int) { FAIL("it has run"); };
  CHECK(code_of([&] { db().for_each<int>(writing, never); }) == errc::write_on_reader);
  if (inside) session().commit();
  CHECK(logged().empty());
  const auto reader = fixture.connect(connection_role::reader);
  CHECK(code_of([&] { reader->for_each<int>(writing, never); }) == errc::write_on_reader);
}

TEST_CASE_METHOD(ForEach, "for_each: the same query may run inside of itself") {
  int pairs = 0;
  CHECK(db().for_each<int>(in_order, [&](int) {
    CHECK(db().for_each<int>(in_order, [&](int) { pairs += 1; }) == 5);
    CHECK(db().query_all<int>(in_order) == all_five);
  }) == 5);
  CHECK(pairs == 25);
}

TEST_CASE_METHOD(ForEach, "for_each: what is written meanwhile is kept, at once or with the transaction") {
  const bool inside = GENERATE(true, false);
  if (inside) begin();
  const auto stranger = fixture.connect(connection_role::reader);
  const auto seen_by_others = [&] { return stranger->query_one<int>("SELECT count(*) FROM log"); };
  db().for_each<int>(in_order, [&](int a) {
    db().execute("INSERT INTO log VALUES (?)", a);
    CHECK(seen_by_others() == (inside ? 0 : a));
  });
  if (inside) session().commit();
  CHECK(logged() == all_five);
}

TEST_CASE_METHOD(ForEach, "for_each: savepoints inside of it are kept or undone, and the rows go on") {
  if (GENERATE(true, false)) begin();
  std::vector<int> seen;
  db().for_each<int>(in_order, [&](int a) {
    seen.push_back(a);
    const auto write = [&] {
      db().execute("INSERT INTO log VALUES (?)", a);
      if (a % 2 == 0) throw std::runtime_error("undo");
    };
    try {
      db().savepoint(write);
    } catch (const std::runtime_error&) {
    }
  });
  CHECK(seen == all_five);
  if (session().in_transaction()) session().commit();
  CHECK(logged() == std::vector{1, 3, 5});
}

TEST_CASE_METHOD(ForEach, "for_each: a savepoint around it is undone while it is at a row") {
  begin();
  db().execute("INSERT INTO log VALUES (0)");
  const auto outer = [&] {
    db().for_each<int>(in_order, [&](int a) {
      db().execute("INSERT INTO log VALUES (?)", a);
      if (a == 3) throw std::runtime_error("undo");
    });
  };
  CHECK_THROWS_AS(db().savepoint(outer), std::runtime_error);
  session().commit();
  CHECK(logged() == std::vector{0});
}

TEST_CASE_METHOD(ForEach,
                 "for_each: a change of the schema that is undone ends it with an error, not with half of it") {
  begin();
  const auto change = [&] {
    db().execute("CREATE TABLE new(a)");
    throw std::runtime_error("undo");
  };
  std::vector<int> seen;
  const Error error = error_of([&] {
    db().for_each<int>(in_order, [&](int a) {
      seen.push_back(a);
      if (a == 2) CHECK_THROWS_AS(db().savepoint(change), std::runtime_error);
    });
  });
  CHECK(error.code() == make_sqlite_error(SQLITE_ABORT_ROLLBACK));
  CHECK(seen == std::vector{1, 2});
  db().execute("INSERT INTO log VALUES (7)");
  session().commit();
  CHECK(logged() == std::vector{7});
}

TEST_CASE_METHOD(ForEach, "for_each: a result that cannot be given is undone alone, also outside of a transaction") {
  std::vector<int> seen;
  db().for_each<int>(in_order, [&](int a) {
    seen.push_back(a);
    db().execute("INSERT INTO log VALUES (?)", a);
    if (a != 2) return;
    CHECK(code_of([&] { db().execute_returning<int>("INSERT INTO log VALUES (10), ('x') RETURNING v"); }) ==
          errc::column_type);
    CHECK_FALSE(session().in_transaction());
  });
  CHECK(seen == all_five);
  CHECK(logged() == all_five);
}

TEST_CASE_METHOD(ForEach, "for_each: its time counts that of the function, before each row") {
  int rows = 0;
  const auto slow = [&](int) {
    ++rows;
    pass(40ms);
  };
  CHECK(code_of([&] { db().for_each<int>({.run_timeout = 100ms}, in_order, slow); }) == errc::deadline_exceeded);
  CHECK(rows == 3);
  CHECK(db().for_each<int>(in_order, slow) == 5);
}

TEST_CASE_METHOD(ForEach, "for_each: an operation that is stopped between two rows gets no other") {
  const auto reason = GENERATE(detail::stop_reason::cancelled, detail::stop_reason::shutdown);
  session().interrupter().arm(Clock::time_point::max());
  int rows = 0;
  const auto code = code_of([&] {
    db().for_each<int>(in_order, [&](int) {
      if (++rows == 2) session().interrupter().request(reason);
    });
  });
  CHECK(code == detail::code_of(reason));
  CHECK(rows == 2);
  session().interrupter().disarm();
  session().clean();
  CHECK(db().query_all<int>(in_order) == all_five);
}

TEST_CASE_METHOD(ForEach, "for_each: its time passes during a write of the function: nothing is reported as done") {
  // for_each, 100 ms     its function
  // a row                INSERT ... (undone by SQLite, with all of the transaction)
  // fails, also if the function has caught the error, or wants no more rows
  enum class then { throws, goes_on, stops };
  const auto next = GENERATE(then::throws, then::goes_on, then::stops);
  begin();
  db().execute("INSERT INTO log VALUES (0)");
  busy = [&] { pass(200ms); };
  const auto write = [&](int) {
    try {
      db().execute(
          "INSERT INTO log WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100000) "
          "SELECT n FROM c WHERE n > 1 OR busy()");
      FAIL("it was not stopped");
    } catch (const Error& error) {
      CHECK(error.code() == errc::deadline_exceeded);
      if (next == then::throws) throw;
    }
    return next == then::goes_on;
  };
  CHECK(code_of([&] { db().for_each<int>({.run_timeout = 100ms}, in_order, write); }) == errc::deadline_exceeded);
  CHECK(code_of([&] { db().execute("INSERT INTO log VALUES (1)"); }) == errc::transaction_rolled_back);
  CHECK(code_of([&] { session().commit(); }) == errc::transaction_rolled_back);
  session().clean();
  CHECK(logged().empty());
}

TEST_CASE_METHOD(ForEach, "for_each: a statement of the function that is out of time leaves the rows alone") {
  const bool writes = GENERATE(true, false);
  busy = [&] { pass(200ms); };
  std::vector<int> seen;
  CHECK(db().for_each<int>(in_order, [&](int a) {
    seen.push_back(a);
    const auto late = [&] {
      if (writes) return void(db().execute({.run_timeout = 100ms}, busy_write));
      db().for_each<int>({.run_timeout = 100ms}, "SELECT a FROM t WHERE busy() ORDER BY a", [](int) {});
    };
    if (a == 2) {
      // A short one is done before SQLite asks whether it is to stop: either is true.
      try {
        late();
      } catch (const Error& error) {
        CHECK(error.code() == errc::deadline_exceeded);
      }
    }
    CHECK(db().query_one<int>("SELECT 7") == 7);
  }) == 5);
  CHECK(seen == all_five);
}

TEST_CASE_METHOD(ForEach, "for_each: an interrupt that stayed ends it, and gives no row twice") {
  std::vector<int> seen;
  const bool nested = GENERATE(true, false);
  const auto code = code_of([&] {
    db().for_each<int>(in_order, [&](int a) {
      seen.push_back(a);
      if (a == 2) interrupt();
      if (a == 2 && nested) CHECK(db().query_one<int>("SELECT 7") == 7);
    });
  });
  CHECK(code == make_sqlite_error(SQLITE_INTERRUPT));
  CHECK(seen == std::vector{1, 2});
  CHECK(db().query_all<int>(in_order) == all_five);
}

TEST_CASE_METHOD(ForEach,
                 "for_each: a write that an interrupt has ended is not done again outside of its transaction") {
  begin();
  db().execute("INSERT INTO log VALUES (1)");  // so that it is compiled
  const auto write = [&](int) {
    interrupt();
    CHECK(code_of([&] { db().execute("INSERT INTO log VALUES (1)"); }) == make_sqlite_error(SQLITE_INTERRUPT));
  };
  CHECK(code_of([&] { db().for_each<int>(in_order, write); }) == errc::transaction_rolled_back);
  CHECK(code_of([&] { session().commit(); }) == errc::transaction_rolled_back);
  session().clean();
  CHECK(logged().empty());
}
