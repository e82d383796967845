// What a user has changed on a connection is put back before the next one has it, on every way to get it; and where
// that cannot be, or it cannot be cleaned, nobody else's work runs on it.

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

struct PutBack : LaneTest {
  PutBack() {
    engine.scripts["change"].changes = true;
    for (const char* const text : {"a", "b"}) writes(text);
  }
  int opened_at(const std::string& text) {
    opened_before.try_emplace(text, 0);
    engine.scripts[text].call = [this, text] { opened_before[text] = engine.opened; };
    return engine.opened;
  }
  std::map<std::string, int> opened_before;
};

TEST_CASE_METHOD(PutBack, "put back: after an operation, before the next one of whatever kind") {
  ask(kinds::lone_statement, "change");
  SECTION("nobody comes: at once") {
    settle();
    CHECK(engine.ran == Texts{"change", "put back"});
  }
  SECTION("a statement") {
    ask("next");
    settle();
    CHECK(engine.ran == Texts{"change", "put back", "next"});
  }
  SECTION("several that share") {
    ask("a");
    ask("b");
    settle();
    CHECK(engine.ran == Texts{"change", "put back", "BEGIN IMMEDIATE", "a", "b", "COMMIT"});
  }
  SECTION("a lease that waits") {
    Caller& holder = acquire();
    settle();
    CHECK(engine.ran == Texts{"change", "put back"});
    holder.lease.reset();
  }
  SECTION("a lease that comes later") {
    settle();
    Caller& holder = acquire();
    settle();
    CHECK(engine.ran == Texts{"change", "put back"});
    holder.lease.reset();
  }
  check_all_clean();
}

TEST_CASE_METHOD(PutBack, "put back: what shares a transaction with others ends it") {
  ask("a");
  ask("change");
  ask("b");
  ask("a");
  settle();
  CHECK(engine.ran ==
        Texts{"BEGIN IMMEDIATE", "a", "change", "COMMIT", "put back", "BEGIN IMMEDIATE", "b", "a", "COMMIT"});
  CHECK(engine.kept == Texts{"a", "b", "a"});
  check_all_clean();
}

TEST_CASE_METHOD(PutBack, "put back: also when the operation has failed, was cancelled, or its transaction is lost") {
  Caller* one = nullptr;
  SECTION("failed") {
    engine.scripts["change"].fails = sql_constraint;
    ask(kinds::lone_statement, "change");
  }
  SECTION("cancelled") {
    engine.scripts["change"].endless = true;
    engine.scripts["change"].call = [&] { cancel(*one); };
    one = &ask(kinds::lone_statement, "change");
  }
  SECTION("lost") {
    engine.scripts["change"].ends_transaction = true;
    ask("change");
    ask("b");
  }
  settle();
  CHECK(engine.times("put back") >= (engine.scripts["change"].endless ? 0 : 1));
  CHECK(engine.times("put back") <= 2);
  check_all_clean();
}

TEST_CASE_METHOD(PutBack, "put back: who holds the connection keeps what he has changed until he gives it back") {
  SECTION("a lease") {
    Caller& holder = acquire();
    settle();
    ask_on(holder, kinds::statement, "change");
    settle();
    ask_on(holder, kinds::statement, "next");
    settle();
    CHECK(engine.ran == Texts{"change", "next"});
    ask("a");
    holder.lease.reset();
    settle();
    CHECK(engine.ran == Texts{"change", "next", "put back", "a"});
  }
  SECTION("a transaction") {
    Caller& holder = begin();
    settle();
    ask_on(holder, kinds::in_transaction, "change");
    settle();
    ask_on(holder, kinds::in_transaction, "a");
    settle();
    commit(holder);
    settle();
    CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "change", "a", "COMMIT", "put back"});
  }
  SECTION("a transaction that goes without an end") {
    Caller& holder = begin();
    settle();
    ask_on(holder, kinds::in_transaction, "change");
    settle();
    holder.lease.reset();
    settle();
    CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "change", "ROLLBACK", "put back"});
  }
  check_all_clean();
}

TEST_CASE_METHOD(PutBack, "put back: where it cannot be, a new connection takes over, and the old one is closed then") {
  engine.can_put_back = false;
  ask("a");
  ask("change");
  opened_at("b");
  ask("b");
  settle();
  CHECK(engine.ran == Texts{"BEGIN IMMEDIATE", "a", "change", "COMMIT", "put back", "take over", "b"});
  CHECK(opened_before["b"] == 2);
  CHECK(engine.closed == 1);
  CHECK(lane->stats().replaced == 1);
  check_all_clean();
}

TEST_CASE_METHOD(PutBack,
                 "put back: while no new connection can be opened nothing runs on the old, and it is not lost") {
  engine.can_put_back = false;
  engine.opens = false;
  ask(kinds::lone_statement, "change");
  Caller& refused = ask("a");
  settle();
  CHECK(refused.code() == make_sqlite_error(sql_cantopen));
  CHECK(engine.times("a") == 0);
  CHECK(engine.closed == 0);
  engine.opens = true;
  CHECK(ask("b").code() == boost::system::error_code());
  settle();
  CHECK(engine.ran.back() == "b");
  CHECK(engine.times("take over") == 1);
  CHECK(engine.closed == 1);
  check_all_clean();
}

TEST_CASE_METHOD(PutBack, "put back: a connection that waits to be replaced is closed with the lane") {
  engine.can_put_back = false;
  engine.opens = false;
  ask(kinds::lone_statement, "change");
  settle();
  lane->close(std::make_exception_ptr(Error(errc::closed, "over")));
  settle();
  lane->close_connections();
  CHECK(engine.closed == 1);
  CHECK(engine.ran.back() == "last checkpoint");
}

TEST_CASE_METHOD(PutBack, "replaced: before the others of a lost transaction are run again") {
  // a            breaks                              b
  // BEGIN, a     ends the transaction, and nothing
  //              can be begun here any more
  // opened anew, a
  //              again: opened anew, breaks
  //                                                  opened anew, b
  engine.scripts["breaks"].breaks = true;
  engine.scripts["breaks"].ends_transaction = true;
  engine.scripts["breaks"].fails = sql_constraint;
  for (const char* const text : {"a", "b"}) opened_at(text);
  Caller& a = ask("a");
  Caller& breaks = ask("breaks");
  Caller& b = ask("b");
  settle();
  CHECK(a.text().empty());
  CHECK(b.text().empty());
  CHECK(breaks.code() == make_sqlite_error(sql_constraint));
  CHECK(opened_before["a"] == 2);
  CHECK(opened_before["b"] == 3);
  CHECK(engine.kept == Texts{"a", "b"});
  check_all_clean();
}

TEST_CASE_METHOD(PutBack, "replaced: if it cannot be, the others hear why, and are told no lie") {
  engine.scripts["breaks"].breaks = true;
  engine.scripts["breaks"].ends_transaction = true;
  engine.scripts["breaks"].fails = sql_constraint;
  engine.scripts["breaks"].call = [&] { engine.opens = false; };
  Caller& a = ask("a");
  ask("breaks");
  Caller& b = ask("b");
  settle();
  CHECK(a.code() == make_sqlite_error(sql_cantopen));
  CHECK(b.code() == make_sqlite_error(sql_cantopen));
  CHECK(engine.kept.empty());
  engine.opens = true;
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
