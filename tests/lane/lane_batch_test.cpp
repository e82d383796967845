// What waits together and runs in one transaction: who joins, and that nobody notices.

#include <catch2/generators/catch_generators.hpp>

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

/// Writers `a`, `b` and `c`.
struct Writes : LaneTest {
  Writes() {
    for (const char* const text : {"a", "b", "c"}) writes(text);
  }
};

struct Reads : LaneTest {
  explicit Reads(unsigned connections = 1) : LaneTest(connection_role::reader, connections) {}
};

struct BatchingReaders : Reads {
  BatchingReaders() : Reads(2) {}
};

TEST_CASE_METHOD(Writes, "batch: what waits together shares one commit; alone it has its own") {
  ask("a");
  ask("b");
  ask("c");
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "b", "c", "COMMIT"});
  CHECK(lane->stats().batches == 1);
  engine.ran.clear();
  ask("a");
  settle();
  CHECK(engine.ran == Texts{"a"});
  CHECK(engine.kept == Texts{"a", "b", "c", "a"});
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: nobody hears of a write before its commit") {
  Caller& first = ask("a");
  Caller& second = ask("b");
  engine.refuses_commit = [&] {
    run_callers();
    CHECK_FALSE(first.done());
    CHECK_FALSE(second.done());
    return false;
  };
  settle();
  CHECK(first.done());
  CHECK(second.done());
}

TEST_CASE_METHOD(Writes, "batch: closures go alone unless they ask to share, then in a savepoint of their own") {
  const auto closure = [](Connection& connection) { connection.execute("a"); };
  for (int i = 0; i < 2; ++i) call(kinds::transaction, closure);
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "COMMIT", "BEGIN IMMEDIATE", "a", "COMMIT"});
  engine.ran.clear();
  for (int i = 0; i < 2; ++i) call(kinds::transaction, closure, {.group_commit = true});
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "SAVEPOINT", "a", "RELEASE", "SAVEPOINT", "a", "RELEASE", "COMMIT"});
  engine.ran.clear();
  Caller& throws = call(kinds::transaction,
                        [](Connection& connection) {
                          connection.execute("b");
                          throw std::runtime_error("mine");
                        },
                        {.group_commit = true});
  call(kinds::transaction, closure, {.group_commit = true});
  settle();
  CHECK(throws.text() == "mine");
  CHECK(engine.kept == Texts{"a", "a", "a", "a", "a"});
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: it ends before what may not share, and keeps the order") {
  ask("a");
  ask("b");
  ask(kinds::lone_statement, "alone");
  ask(kinds::maintenance, "vacuum");
  ask("c");
  ask("a");
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "b", "COMMIT", "alone", "vacuum", "restore settings",
                            "BEGIN IMMEDIATE", "c", "a", "COMMIT"});
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: in a lane for both, reads and writes each have their own transaction") {
  const auto read = [&] {
    detail::Request wanted = request(kinds::statement);
    wanted.role = connection_role::reader;
    Caller& one = caller(wanted, FakeEngine::count);
    lane->submit(one);
  };
  read();
  read();
  ask("a");
  ask("b");
  settle();
  CHECK(engine.ran == Texts{"BEGIN", "count", "count", "COMMIT", "BEGIN IMMEDIATE", "a", "b", "COMMIT"});
  detail::Request wanted = request(kinds::statement);
  wanted.role = connection_role::reader;
  Caller& writing = caller(wanted, "a");
  lane->submit(writing);
  settle();
  CHECK(writing.code() == errc::write_on_reader);
  check_all_clean();
}

TEST_CASE_METHOD(Reads, "batch: a read that came after the transaction began does not join it") {
  //   reader                        a caller
  //   BEGIN, looks: 0
  //                                 a write is committed, he hears of it
  //                                 asks: must see it
  //   looks again: 0; COMMIT
  //   looks: 1
  Caller* late = nullptr;
  engine.scripts["first"].call = [&] {
    if (late != nullptr) return;
    engine.kept.emplace_back("by the writer");
    elsewhere([&] { late = &ask(FakeEngine::count); });
  };
  Caller& before = ask(FakeEngine::count);
  ask("first");
  Caller& after = ask(FakeEngine::count);
  settle();
  REQUIRE(late != nullptr);
  CHECK(before.rows == std::vector<std::int64_t>{0});
  CHECK(after.rows == std::vector<std::int64_t>{0});
  CHECK(late->rows == std::vector<std::int64_t>{1});
  CHECK(engine.ran == Texts{"BEGIN", "count", "first", "count", "COMMIT", "count"});
}

TEST_CASE_METHOD(Reads, "batch: a read that came after the transaction began takes nobody's place in it") {
  //   reader                        a caller
  //   BEGIN, looks
  //                                 the next one is cancelled; a write is committed, he hears of it
  //                                 asks: must see it
  //   COMMIT
  //   looks: 1
  Caller* late = nullptr;
  engine.scripts["first"].call = [&] {
    engine.kept.emplace_back("by the writer");
    elsewhere([&] {
      cancel(callers[1]);
      late = &ask(FakeEngine::count);
    });
  };
  ask("first");
  ask("never");
  settle();
  REQUIRE(late != nullptr);
  CHECK(late->rows == std::vector<std::int64_t>{1});
  CHECK(engine.ran == Texts{"BEGIN", "first", "COMMIT", "count"});
}

TEST_CASE_METHOD(Reads, "batch: no more than 16 reads wait for each other") {
  for (int i = 0; i < 40; ++i) ask("query");
  settle();
  CHECK(engine.times("BEGIN") == 3);
  CHECK(lane->stats().batches == 3);
  CHECK(engine.times("query") == 40);
}

TEST_CASE_METHOD(Writes, "batch: no more than 256 writes share a commit") {
  for (int i = 0; i < 300; ++i) ask("a");
  settle();
  CHECK(engine.times("BEGIN IMMEDIATE") == 2);
  CHECK(engine.kept.size() == 300);
}

TEST_CASE_METHOD(Writes, "batch: after 2 ms it takes nothing more, and what is left goes first in the next one") {
  engine.scripts["b"].call = [&] {
    clock->advance(3ms);
    elsewhere([&] { ask("last"); });
  };
  ask("a");
  ask("b");
  ask("c");
  ask("c");
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "b", "COMMIT", "BEGIN IMMEDIATE", "c", "c", "last", "COMMIT"});
}

TEST_CASE_METHOD(Writes, "batch: what took long goes alone from then on, until it is fast again") {
  engine.scripts["b"].call = [&] { clock->advance(2ms); };
  ask("b");
  settle();
  const auto among_others = [&] {
    engine.ran.clear();
    for (const char* const text : {"a", "a", "b", "c", "c"}) ask(text);
    settle();
  };
  among_others();
  const Texts apart{"BEGIN IMMEDIATE", "a", "a", "COMMIT", "b", "BEGIN IMMEDIATE", "c", "c", "COMMIT"};
  CHECK(engine.ran == apart);
  engine.scripts["b"].call = {};
  among_others();
  CHECK(engine.ran == apart);  // alone once more, and was fast
  among_others();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "a", "b", "c", "c", "COMMIT"});
}

TEST_CASE_METHOD(BatchingReaders,
                 "batch: who waits behind a statement that takes long gets away to a reader that is free") {
  //   reader 1                      reader 2
  //   takes slow, begins
  //                                 takes the others, one by one
  //   slow ends
  engine.scripts["slow"].call = [&] {
    elsewhere([&] {
      while (step_db()) {
      }
    });
    run_callers();
    CHECK(callers[1].done());
    CHECK(callers[2].done());
  };
  ask("slow");
  ask("query");
  ask("query");
  settle();
  CHECK(engine.ran == Texts{"BEGIN", "slow", "query", "query", "COMMIT"});  // each its part, as the other may come back
  check_all_clean();
}

TEST_CASE_METHOD(BatchingReaders,
                 "batch: who waits behind a statement that takes long gets away to one that is given back") {
  Caller& holder = acquire();
  run_callers();
  engine.scripts["slow"].call = [&] {
    elsewhere([&] {
      holder.lease.reset();
      while (step_db()) {
      }
    });
    run_callers();
    CHECK(callers[2].done());
  };
  ask("slow");
  ask("query");
  settle();
  CHECK(engine.times("query") == 1);
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: where another process has the lock, each writes in its own way") {
  engine.locked = true;
  ask("a");
  ask("b");
  settle();
  CHECK(engine.ran == Texts{"a", "b"});  // the engine's statements wait for the lock
}

TEST_CASE_METHOD(Writes, "batch: one that fails undoes itself alone, the others are kept") {
  engine.scripts["b"].fails = sql_constraint;
  ask("a");
  Caller& fails = ask("b");
  ask("c");
  settle();
  CHECK(fails.code() == condition::constraint);
  CHECK(engine.kept == Texts{"a", "c"});
  CHECK(engine.times("COMMIT") == 1);
  check_all_clean();
}

TEST_CASE_METHOD(Writes,
                 "batch: what ran in a transaction that is lost runs again, one by one; the rest does without") {
  engine.scripts["c"].ends_transaction = true;
  engine.scripts["c"].fails = sql_constraint;
  ask("a");
  ask("b");
  Caller& culprit = ask("c");
  ask("a");
  ask("b");
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "b", "c", "a", "b", "c", "a", "b"});
  CHECK(engine.kept == Texts{"a", "b", "a", "b"});
  CHECK(culprit.code() == condition::constraint);
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: what was stopped is not run again, and those who failed for its sake are") {
  //   writer                             the second caller
  //   a
  //   endless
  //                                      cancelled: the engine rolls back
  //   a again; b
  FakeScript& endless = engine.scripts["endless"];
  endless.endless = true;
  endless.writes = true;
  endless.call = [&] { elsewhere([&] { cancel(callers[1]); }); };
  ask("a");
  Caller& stopped = ask("endless");
  ask("b");
  settle();
  CHECK(stopped.code() == aborted);
  CHECK(engine.times("endless") == 1);
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "endless", "a", "b"});
  CHECK(engine.kept == Texts{"a", "b"});
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: a deferred violation fails its statement, not the commit of the others") {
  engine.scripts["b"].violates = true;
  ask("a");
  Caller& violates = ask("b");
  ask("c");
  settle();
  CHECK(violates.code() == condition::constraint);
  CHECK(engine.kept == Texts{"a", "c"});
  CHECK(lane->stats().rolled_back == 0);  // that counts what callers have left behind
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: what fails only for being in a transaction is run once more without") {
  engine.scripts["vacuum"].fails_in_transaction = GENERATE(sql_error, sql_locked, sql_nomem, sql_full);
  ask("a");
  Caller& vacuum = ask("vacuum");
  ask("b");
  ask("c");
  settle();
  CHECK(vacuum.text() == "");
  CHECK(engine.ran ==
        Texts{"BEGIN IMMEDIATE", "a", "vacuum", "COMMIT", "vacuum", "BEGIN IMMEDIATE", "b", "c", "COMMIT"});
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: where the commit is refused, each is told by its own") {
  bool first = true;
  engine.refuses_commit = [&] { return std::exchange(first, false); };
  ask("a");
  ask("b");
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "b", "COMMIT", "ROLLBACK", "a", "b"});
  CHECK(engine.kept == Texts{"a", "b"});
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: where nobody knows whether the commit has happened, each is told so and none again") {
  engine.refuses_commit = []() -> bool { throw Error(errc::outcome_unknown, "nobody knows"); };
  engine.scripts["fails"].fails = sql_constraint;
  Caller& first = ask("a");
  Caller& failed = ask("fails");
  Caller& last = ask("b");
  settle();
  CHECK(first.code() == errc::outcome_unknown);
  CHECK(last.code() == errc::outcome_unknown);
  CHECK(failed.code() == condition::constraint);  // by itself, and for certain
  for (const char* const text : {"a", "fails", "b"}) CHECK(engine.times(text) == 1);
}

TEST_CASE_METHOD(Writes, "batch: after a commit that nobody knows of the rest runs one by one, and each knows") {
  engine.refuses_commit = []() -> bool { throw Error(errc::outcome_unknown, "nobody knows"); };
  engine.scripts["change"].changes = true;
  Caller& first = ask("a");
  ask("change");  // ends the transaction
  Caller& next = ask("b");
  Caller& last = ask("a");
  settle();
  CHECK(first.code() == errc::outcome_unknown);
  CHECK(next.text() == "");
  CHECK(last.text() == "");
  CHECK(engine.kept == Texts{"b", "a"});
  check_all_clean();
}

TEST_CASE_METHOD(Writes, "batch: each has its run timeout for itself") {
  for (const char* const text : {"a", "b"}) engine.scripts[text].call = [&] { clock->advance(1500us); };
  ask("a", {.run_timeout = 2ms});
  ask("b", {.run_timeout = 2ms});
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "b", "COMMIT"});
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
