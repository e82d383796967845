#include <sqlite3.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <vector>

#include "error_of.hpp"
#include "statehouse/connection.hpp"

using namespace statehouse;
using test::contains;
using test::error_of;

namespace {

constexpr std::string_view secret = "canary-5f1d";

/// Valid UTF-8 as RFC 3629 has it, as far as sequence lengths go.
bool whole_sequences(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    i += length;
  }
  return true;
}

}  // namespace

TEST_CASE("errc: every code has a sentence of its own") {
  std::vector<std::string> sentences;
  for (int value = static_cast<int>(errc::invalid_name); value <= static_cast<int>(errc::migration_recorded); ++value) {
    const boost::system::error_code code = static_cast<errc>(value);
    CHECK(&code.category() == &statehouse_category());
    CHECK(code.failed());
    CHECK(code.message() != "unknown statehouse error");
    CHECK(std::ranges::count(sentences, code.message()) == 0);
    sentences.push_back(code.message());
  }
  CHECK(boost::system::error_code(9999, statehouse_category()).message() == "unknown statehouse error");
  CHECK(std::string(statehouse_category().name()) == "statehouse");
  CHECK(std::string(sqlite_category().name()) == "sqlite");
}

TEST_CASE("condition: busy holds for every variant of SQLITE_BUSY and SQLITE_LOCKED and for nothing else") {
  for (const int code : {SQLITE_BUSY, SQLITE_BUSY_RECOVERY, SQLITE_BUSY_SNAPSHOT, SQLITE_BUSY_TIMEOUT, SQLITE_LOCKED,
                         SQLITE_LOCKED_SHAREDCACHE, SQLITE_LOCKED_VTAB})
    CHECK(make_sqlite_error(code) == condition::busy);
  for (const int code : {SQLITE_ERROR, SQLITE_INTERRUPT, SQLITE_CONSTRAINT, SQLITE_IOERR, SQLITE_FULL, SQLITE_SCHEMA})
    CHECK(make_sqlite_error(code) != condition::busy);
  CHECK(make_error_code(errc::acquire_timeout) != condition::busy);
  CHECK(boost::system::error_code(SQLITE_BUSY, boost::system::system_category()) != condition::busy);
}

TEST_CASE("condition: unique is UNIQUE, PRIMARY KEY and rowid, all of them constraints") {
  for (const int code : {SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID}) {
    CHECK(make_sqlite_error(code) == condition::unique);
    CHECK(make_sqlite_error(code) == condition::constraint);
  }
  for (const int code : {SQLITE_CONSTRAINT, SQLITE_CONSTRAINT_CHECK, SQLITE_CONSTRAINT_FOREIGNKEY,
                         SQLITE_CONSTRAINT_NOTNULL, SQLITE_CONSTRAINT_TRIGGER, SQLITE_CONSTRAINT_DATATYPE}) {
    CHECK(make_sqlite_error(code) != condition::unique);
    CHECK(make_sqlite_error(code) == condition::constraint);
  }
  CHECK(make_sqlite_error(SQLITE_BUSY) != condition::constraint);
}

TEST_CASE("condition: timeout and closed group the library's own codes") {
  CHECK(make_error_code(errc::acquire_timeout) == condition::timeout);
  CHECK(make_error_code(errc::deadline_exceeded) == condition::timeout);
  CHECK(make_error_code(errc::closed) == condition::closed);
  CHECK(make_error_code(errc::forked_process) == condition::closed);
  for (const errc other : {errc::queue_full, errc::no_row, errc::not_initialised, errc::transaction_finished}) {
    CHECK(make_error_code(other) != condition::timeout);
    CHECK(make_error_code(other) != condition::closed);
  }
  CHECK(make_sqlite_error(SQLITE_BUSY_TIMEOUT) != condition::timeout);
  // Another errc stays the condition of itself.
  CHECK(make_error_code(errc::no_row).default_error_condition() ==
        boost::system::error_condition(static_cast<int>(errc::no_row), statehouse_category()));
}

TEST_CASE("condition: ours are no generic ones; a cancellation is, in Boost's and in the standard's terms") {
  const boost::system::error_code deadline = errc::deadline_exceeded;
  CHECK(deadline != boost::system::errc::timed_out);
  CHECK(std::error_code(deadline) != std::errc::timed_out);

  const boost::system::error_code cancelled(ECANCELED, boost::system::system_category());
  CHECK(cancelled == boost::asio::error::operation_aborted);
  CHECK(cancelled == boost::system::errc::operation_canceled);
  CHECK(std::error_code(cancelled) == std::errc::operation_canceled);
}

TEST_CASE("condition: each has a message") {
  for (const condition value :
       {condition::busy, condition::constraint, condition::unique, condition::timeout, condition::closed})
    CHECK(make_error_condition(value).message() != "unknown condition");
  CHECK(boost::system::error_condition(99, condition_category()).message() == "unknown condition");
}

TEST_CASE("Error: what() is database, message, SQLite's code and statement") {
  const Error error(make_sqlite_error(SQLITE_CONSTRAINT_UNIQUE), "UNIQUE constraint failed: t.a",
                    {"context", "INSERT INTO t VALUES (?)"});
  CHECK(error.database() == "context");
  CHECK(error.sql() == "INSERT INTO t VALUES (?)");
  CHECK(error.message() == "UNIQUE constraint failed: t.a");
  CHECK(error.what() ==
        std::string("database 'context': UNIQUE constraint failed: t.a (SQLite 2067) [INSERT INTO t VALUES (?)]"));
  const Error plain(errc::closed, "while waiting");
  CHECK(plain.database().empty());
  CHECK(plain.sql().empty());
  CHECK(plain.what() == std::string("while waiting"));
  CHECK(plain.code() == errc::closed);
}

TEST_CASE("Error: no error repeats a bound value, whatever fails") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a TEXT UNIQUE CHECK(length(a) < 100), b INTEGER NOT NULL) STRICT");
  db.execute("CREATE TABLE child(a TEXT REFERENCES t(a))");
  db.execute("INSERT INTO t VALUES (?, 1)", secret);
  const std::string too_long = std::string(200, 'x') + std::string(secret);

  std::vector<Error> errors;
  const auto collect = [&](auto&& f) { errors.push_back(error_of(f)); };
  collect([&] { db.execute("INSERT INTO t VALUES (?, 2)", secret); });                   // UNIQUE
  collect([&] { db.execute("INSERT INTO t VALUES (?, 2)", too_long); });                 // CHECK
  collect([&] { db.execute("INSERT INTO t VALUES (?, NULL)", secret); });                // NOT NULL
  collect([&] { db.execute("INSERT INTO t VALUES ('y', ?)", secret); });                 // STRICT type
  collect([&] { db.execute("INSERT INTO child VALUES (?)", too_long); });                // foreign key
  collect([&] { db.execute("INSERT INTO t VALUES (?, ?, ?)", secret, 1, 2); });          // SQL error
  collect([&] { db.execute("INSERT INTO t VALUES (?, ?)", secret); });                   // parameter count
  collect([&] { db.query_one<std::int64_t>("SELECT ?", secret); });                      // column type
  collect([&] { db.query_one<std::tuple<int, int>>("SELECT ?", secret); });              // column count
  collect([&] { db.query_one<int>("SELECT 1 WHERE ? = ''", secret); });                  // no row
  collect([&] { db.query_one<std::string>("SELECT ? UNION ALL SELECT 'b'", secret); });  // too many rows
  collect([&] { db.query_one<std::chrono::sys_seconds>("SELECT ?", secret); });          // not a time
  collect([&] { db.execute("SELECT abs(-9223372036854775807 - 1), ?", secret); });       // run time error
  collect([&] { db.execute("BEGIN; SELECT ?", secret); });                               // two statements
  for (const Error& error : errors) {
    CAPTURE(error.what());
    CHECK_FALSE(contains(error.what(), secret));
    CHECK_FALSE(contains(error.sql(), secret));
  }
}

TEST_CASE("Error: a SQLite error carries the extended code, SQLite's words and the database's name") {
  Connection db(":memory:");
  db.execute("CREATE TABLE t(a UNIQUE)");
  db.execute("INSERT INTO t VALUES (1)");
  const Error error = error_of([&] { db.execute("INSERT INTO t VALUES (?)", 1); });
  CHECK(error.code() == make_sqlite_error(SQLITE_CONSTRAINT_UNIQUE));
  CHECK(error.sql() == "INSERT INTO t VALUES (?)");
  CHECK(error.message() == "UNIQUE constraint failed: t.a");
  CHECK(contains(error.what(), "UNIQUE constraint failed: t.a (SQLite 2067)"));
}

TEST_CASE("shorten: at most 200 bytes of the statement, on one line, cut between characters") {
  using detail::shorten;
  CHECK(shorten("SELECT 1") == "SELECT 1");
  CHECK(shorten("").empty());
  CHECK(shorten("SELECT\n\t1\r\n, '\x1b'") == "SELECT  1  , ' '");
  CHECK(shorten(std::string(200, 'a')) == std::string(200, 'a'));
  CHECK(shorten(std::string(201, 'a')) == std::string(200, 'a') + "...");
  for (const std::string character : {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    for (std::size_t lead = 190; lead <= 202; ++lead) {
      std::string sql(lead, 'a');
      for (int i = 0; i < 20; ++i) sql += character;
      const std::string shortened = shorten(sql);
      CAPTURE(lead, character.size());
      REQUIRE(shortened.ends_with("..."));
      CHECK(shortened.size() <= 203);
      CHECK(shortened.size() > 203 - character.size());
      CHECK(whole_sequences(shortened));
    }
  }
  CHECK(shorten(std::string(300, '\x80')) == "...");
}

TEST_CASE("shorten: a long statement appears in an error only as far as that") {
  Connection db(":memory:");
  const std::string sql = "SELECT nothing /* " + std::string(500, 'x') + " */";
  const Error error = error_of([&] { db.execute(sql); });
  CHECK(error.sql() == sql.substr(0, 200) + "...");
  CHECK(contains(error.what(), error.sql()));
  CHECK_FALSE(contains(error.what(), std::string(300, 'x')));
}
