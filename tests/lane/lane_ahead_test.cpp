// Statements whose answers are not waited for one by one: what is decided when their transaction is over.

#include <catch2/generators/catch_generators.hpp>

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

/// An engine that sends ahead, and writers `a`, `b` and `c`.
struct Sending : LaneTest {
  Sending() {
    engine.sends_ahead = true;
    for (const char* const text : {"a", "b", "c"}) writes(text);
  }
  Caller& execute(std::string text, CallOptions options = {}) {
    return ask(kinds::statement, text, options, [text](Connection& db) { db.execute(text); });
  }
};

TEST_CASE_METHOD(Sending, "ahead: each hears of its own outcome, and none before the commit") {
  engine.scripts["fails"].fails = sql_constraint;
  Caller& first = execute("a");
  Caller& failed = execute("fails");
  Caller& last = execute("b");
  engine.refuses_commit = [&] {
    run_callers();
    CHECK_FALSE(first.done());
    return false;
  };
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "fails", "b", "COMMIT"});
  CHECK(first.settled.changes == 1);
  CHECK(failed.code() == condition::constraint);
  CHECK(last.settled.changes == 1);
  CHECK(last.text() == "");
}

TEST_CASE_METHOD(Sending, "ahead: alone, in a closure and in somebody's transaction it is waited for") {
  execute("a");
  settle();
  const auto closure = [](Connection& db) { db.execute("b"); };
  for (int i = 0; i < 2; ++i) call(kinds::transaction, closure, {.group_commit = true});
  settle();
  Caller& holder = begin();
  settle();
  ask_on(holder, kinds::in_transaction, "", [](Connection& db) { db.execute("c"); });
  settle();
  CHECK(engine.ran == Texts{"a", "BEGIN IMMEDIATE", "SAVEPOINT", "b", "RELEASE", "SAVEPOINT", "b", "RELEASE", "COMMIT",
                            "BEGIN IMMEDIATE", "c"});
}

TEST_CASE_METHOD(Sending,
                 "ahead: what may have failed for being in the transaction is run once more when that is over") {
  engine.scripts["full"] = {.fails_in_transaction = true, .writes = true};
  execute("a");
  execute("full");
  execute("b");
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "full", "b", "COMMIT", "full"});
  CHECK(engine.kept == Texts{"a", "b", "full"});
  check_all_clean();
}

TEST_CASE_METHOD(Sending, "ahead: what is lost with its transaction is run again, and what was kept behind it is not") {
  engine.scripts["ends"] = {.ends_transaction = true, .fails = sql_ioerr};
  Caller& first = execute("a");
  Caller& ends = execute("ends");
  Caller& last = execute("b");
  settle();
  CHECK(engine.kept == Texts{"b", "a"});
  CHECK(first.text() == "");
  CHECK(ends.code() == make_sqlite_error(sql_ioerr));
  CHECK(last.text() == "");
  for (const char* const text : {"ends", "b"}) CHECK(engine.times(text) == 1);
}

TEST_CASE_METHOD(Sending, "ahead: where the commit is refused each is run again and told by its own") {
  bool first = true;
  engine.refuses_commit = [&] { return std::exchange(first, false); };
  execute("a");
  execute("b");
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "b", "COMMIT", "ROLLBACK", "a", "b"});
  CHECK(engine.kept == Texts{"a", "b"});
  check_all_clean();
}

TEST_CASE_METHOD(Sending, "ahead: where nobody knows of the commit each is told so, but who has failed for certain") {
  engine.refuses_commit = []() -> bool { throw Error(errc::outcome_unknown, "nobody knows"); };
  engine.scripts["fails"].fails = sql_constraint;
  Caller& first = execute("a");
  Caller& failed = execute("fails");
  Caller& last = execute("b");
  settle();
  CHECK(first.code() == errc::outcome_unknown);
  CHECK(failed.code() == condition::constraint);
  CHECK(last.code() == errc::outcome_unknown);
  for (const char* const text : {"a", "fails", "b"}) CHECK(engine.times(text) == 1);
}

TEST_CASE_METHOD(Sending, "ahead: with one that is waited for in between, all keep their order and their outcomes") {
  engine.scripts["ends"] = {.ends_transaction = true, .fails = sql_constraint};
  execute("a");
  execute("b");
  Caller& ends = ask("ends");  // by a query, which is not sent ahead
  execute("c");
  settle();
  CHECK(ends.code() == condition::constraint);
  CHECK(engine.kept == Texts{"a", "b", "c"});
}

TEST_CASE_METHOD(Sending, "ahead: who is cancelled before it is sent is not, and after that has what it came to") {
  execute("a");
  Caller& late = execute("b");
  engine.refuses_commit = [&] {
    cancel(late);
    return false;
  };
  Caller& early = execute("c");
  cancel(early);
  settle();
  CHECK(early.code() == aborted);
  CHECK(late.error() == nullptr);
  CHECK(engine.kept == Texts{"a", "b"});
}

TEST_CASE("ahead: on a remote engine what took long alone shares all the same, as its commit is what takes long") {
  const bool remote = GENERATE(true, false);
  LaneTest test(connection_role::writer, 1, {}, remote);
  test.engine.scripts["b"].call = [&] { test.clock->advance(2ms); };
  test.ask("b");
  test.settle();
  test.engine.ran.clear();
  for (const char* const text : {"a", "b"}) test.ask(text);
  test.settle();
  CHECK(test.engine.ran == (remote ? Texts{"BEGIN IMMEDIATE", "a", "b", "COMMIT"} : Texts{"a", "b"}));
}

}  // namespace
}  // namespace statehouse::test
