#include <boost/asio/error.hpp>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "error_of.hpp"
#include "open_session.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using test::code_of;
using test::contains;
using test::session;

namespace {

struct Savepoints {
  test::Fixture fixture;
  Connection db = fixture.open();

  Savepoints() { db.execute("CREATE TABLE t(a UNIQUE)"); }
  void insert(int value) { db.execute("INSERT INTO t VALUES (?)", value); }
  std::vector<int> values() { return db.query_all<int>("SELECT a FROM t ORDER BY a"); }
};

struct Odd {};

}  // namespace

TEST_CASE("savepoint: kept when the closure returns, and its result comes back") {
  Savepoints test;
  test.db.savepoint([&] { test.insert(1); });
  CHECK(test.db.savepoint([&] {
    test.insert(2);
    return std::string("result");
  }) == "result");
  auto pointer = test.db.savepoint([&] { return std::make_unique<int>(3); });
  CHECK(*pointer == 3);
  CHECK(test.values() == std::vector{1, 2});
  CHECK_FALSE(session(test.db).in_transaction());
}

TEST_CASE("savepoint: rolled back when the closure throws anything, and that comes through") {
  Savepoints test;
  CHECK_THROWS_AS(test.db.savepoint([&] {
    test.insert(1);
    throw std::runtime_error("no");
  }),
                  std::runtime_error);
  CHECK_THROWS_AS(test.db.savepoint([&]() -> int {
    test.insert(2);
    throw 7;
  }),
                  int);
  CHECK_THROWS_AS(test.db.savepoint([&] {
    test.insert(3);
    throw Odd();
  }),
                  Odd);
  CHECK(code_of([&] {
          test.db.savepoint([&] {
            test.insert(4);
            test.insert(4);
          });
        }) == condition::unique);
  CHECK(test.values().empty());
  CHECK_FALSE(session(test.db).in_transaction());
}

TEST_CASE("savepoint: nested ones fail alone") {
  Savepoints test;
  test.db.savepoint([&] {
    test.insert(1);
    try {
      test.db.savepoint([&] {
        test.insert(2);
        test.db.savepoint([&] { test.insert(3); });
        CHECK(test.values() == std::vector{1, 2, 3});
        throw Odd();
      });
    } catch (const Odd&) {
    }
    CHECK(test.values() == std::vector{1});
    test.db.savepoint([&] { test.insert(4); });
  });
  CHECK(test.values() == std::vector{1, 4});
}

TEST_CASE("savepoint: inside a transaction it decides nothing about the transaction") {
  Savepoints test;
  session(test.db).begin(detail::transaction_kind::immediate);
  test.insert(1);
  test.db.savepoint([&] { test.insert(2); });
  CHECK_THROWS_AS(test.db.savepoint([&] {
    test.insert(3);
    throw Odd();
  }),
                  Odd);
  CHECK(session(test.db).in_transaction());
  test.insert(4);
  session(test.db).commit();
  CHECK(test.values() == std::vector{1, 2, 4});
}

TEST_CASE("savepoint: survives SQLite's own rollback of everything, and nothing after it is kept") {
  Savepoints test;
  test.insert(1);
  CHECK(code_of([&] {
          test.db.savepoint([&] {
            test.insert(2);
            test.db.savepoint([&] { test.db.execute("INSERT OR ROLLBACK INTO t VALUES (1)"); });
          });
        }) == condition::unique);
  CHECK_FALSE(session(test.db).in_transaction());
  CHECK(test.values() == std::vector{1});

  // A closure that catches the error and goes on is not half kept.
  CHECK(code_of([&] {
          test.db.savepoint([&] {
            test.insert(2);
            CHECK(code_of([&] { test.db.execute("INSERT OR ROLLBACK INTO t VALUES (1)"); }) == condition::unique);
            CHECK(code_of([&] { test.insert(3); }) == errc::transaction_rolled_back);
          });
        }) == errc::transaction_rolled_back);
  CHECK(test.values() == std::vector{1});
  test.insert(5);
  CHECK(test.values() == std::vector{1, 5});
}

TEST_CASE("savepoint: the outer one too refuses to go on after SQLite's own rollback in the inner one") {
  Savepoints test;
  test.insert(1);
  CHECK(code_of([&] {
          test.db.savepoint([&] {
            test.insert(2);
            CHECK(code_of([&] {
                    test.db.savepoint([&] { test.db.execute("INSERT OR ROLLBACK INTO t VALUES (1)"); });
                  }) == condition::unique);
            test.insert(3);
          });
        }) == errc::transaction_rolled_back);
  CHECK(test.values() == std::vector{1});
}

TEST_CASE("savepoint: a cancelled one undoes itself and leaves the rest of the transaction to its owner") {
  Savepoints test;
  session(test.db).begin(detail::transaction_kind::immediate);
  test.insert(1);
  CHECK(code_of([&] {
          test.db.savepoint([&] {
            test.insert(2);
            session(test.db).interrupter().request(detail::stop_reason::cancelled);
            test.insert(3);
          });
        }) == boost::asio::error::operation_aborted);
  CHECK(session(test.db).in_transaction());
  session(test.db).interrupter().disarm();
  CHECK(test.values() == std::vector{1});
  session(test.db).commit();
  CHECK(test.values() == std::vector{1});
}

TEST_CASE("savepoint: a failed release undoes it") {
  Savepoints test;
  test.db.execute_script(
      "CREATE TABLE p(a PRIMARY KEY); CREATE TABLE c(a REFERENCES p(a) DEFERRABLE INITIALLY DEFERRED)");
  // The outermost savepoint is a transaction: releasing it commits, and the commit finds the violation.
  CHECK_THROWS_AS(test.db.savepoint([&] { test.db.execute("INSERT INTO c VALUES (1)"); }), Error);
  CHECK_FALSE(session(test.db).in_transaction());
  CHECK(test.db.query_one<int>("SELECT count(*) FROM c") == 0);
}

TEST_CASE("savepoint: one that cannot be undone takes the whole transaction with it") {
  Savepoints test;
  session(test.db).begin(detail::transaction_kind::immediate);
  test.insert(1);
  {
    const detail::PermissionScope scope(session(test.db), detail::permission::maintenance);
    CHECK_THROWS_AS(test.db.savepoint([&] {
      test.insert(2);
      test.db.execute("RELEASE statehouse");
      throw Odd();
    }),
                    Odd);
  }
  CHECK(code_of([&] { test.insert(3); }) == errc::transaction_rolled_back);
  CHECK(session(test.db).rollback());
  CHECK(test.values().empty());
}

TEST_CASE("savepoint: gives no rights to the closure, and takes none") {
  Savepoints test;
  test.db.savepoint([&] { CHECK(code_of([&] { test.db.execute("RELEASE statehouse"); }) == errc::statement_refused); });
  detail::PermissionScope scope(session(test.db), detail::permission::maintenance);
  test.db.savepoint([&] { CHECK_NOTHROW(test.db.execute("SAVEPOINT mine")); });
  CHECK_FALSE(session(test.db).in_transaction());
}
