// Reads that wait together and are asked together, where the engine can: each has what it would have had alone.

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

using Rows = std::vector<std::int64_t>;

/// A reader, or several, that ask ahead, and what `a`, `b` and `c` give.
struct Asking : LaneTest {
  explicit Asking(unsigned readers = 1, PoolOptions options = {})
      : LaneTest(connection_role::reader, readers, std::move(options), true) {
    engine.asks_ahead = true;
    std::int64_t value = 1;
    for (const char* const text : {"a", "b", "c"}) engine.scripts[text].rows = {value++};
  }
  /// All at once.
  void ask_all(std::initializer_list<const char*> texts) {
    for (const char* const text : texts) ask(text);
  }
  Texts take_ran() { return std::exchange(engine.ran, {}); }
};

TEST_CASE_METHOD(Asking, "asked ahead: what waits together is asked in one go, and each has its own answer") {
  ask_all({"a", "b", "a"});
  settle();
  CHECK(engine.ran == Texts{"together: a b a", "a", "b", "a"});
  CHECK(callers[0].rows == Rows{1});
  CHECK(callers[1].rows == Rows{2});
  CHECK(callers[2].rows == Rows{1});
  CHECK(lane->stats().batches == 1);
  check_all_clean();
}

TEST_CASE_METHOD(Asking, "asked ahead: who fails among others fails alone") {
  engine.scripts["fails"].fails = sql_error;
  ask_all({"a", "fails", "b"});
  settle();
  CHECK(engine.ran == Texts{"together: a fails b", "a", "fails", "b"});
  CHECK(callers[0].rows == Rows{1});
  CHECK(callers[1].code() == make_sqlite_error(sql_error));
  CHECK(callers[2].rows == Rows{2});
  CHECK(lane->stats().failed == 1);
  check_all_clean();
}

TEST_CASE_METHOD(Asking, "asked ahead: who is alone, a closure and a lease are not") {
  ask("a");
  settle();
  for (int i = 0; i < 2; ++i)
    call(kinds::transaction, [](Connection& db) { db.query_all<std::int64_t>("b"); }, {.group_commit = true});
  settle();
  Caller& holder = acquire();
  settle();
  ask_on(holder, kinds::lone_statement, "c");
  settle();
  CHECK(engine.ran == Texts{"a", "BEGIN", "b", "COMMIT", "BEGIN", "b", "COMMIT", "c"});
}

TEST_CASE("asked ahead: what writes runs once") {
  LaneTest test(connection_role::writer, 1, {}, true);
  test.engine.asks_ahead = true;
  test.writes("a");
  for (int i = 0; i < 3; ++i) test.ask(kinds::statement, "a", {}, [](Connection& db) { db.execute("a"); });
  test.settle();
  CHECK(test.engine.ran == Texts{"BEGIN IMMEDIATE", "a", "a", "a", "COMMIT"});
}

TEST_CASE_METHOD(Asking, "asked ahead: no more are asked together than may share a batch") {
  for (int i = 0; i < 20; ++i) ask("a");
  settle();
  CHECK(engine.ran.front().size() == std::string("together:").size() + 16 * 2);
  CHECK(engine.times("a") == 20);
  check_all_clean();
}

TEST_CASE_METHOD(Asking, "asked ahead: what cannot be asked with others runs by itself behind those before it") {
  engine.asked_alone = {"alone"};
  ask_all({"a", "alone", "b", "c"});
  settle();
  CHECK(engine.ran == Texts{"together: a", "a", "alone", "together: b c", "b", "c"});
  CHECK(callers[3].rows == Rows{3});
  check_all_clean();
}

TEST_CASE_METHOD(Asking, "asked ahead: whose values will not do is told so, and takes nobody's answer") {
  engine.on_note = [](const std::string& text) {
    if (text == "b") throw Error(errc::value_out_of_range, "as the test says");
  };
  engine.scripts["b"].fails = sql_error;  // when it runs by itself
  ask_all({"a", "b", "c", "a"});
  settle();
  CHECK(engine.ran == Texts{"together: a", "a", "b", "together: c a", "c", "a"});
  CHECK(callers[1].code() == make_sqlite_error(sql_error));
  CHECK(callers[2].rows == Rows{3});
  CHECK(callers[3].rows == Rows{1});
  check_all_clean();
}

TEST_CASE_METHOD(Asking, "asked ahead: nobody has an answer from before he asked") {
  ask_all({"a", "b"});
  callers[0].cancelled = true;  // leaves his answer
  settle();
  CHECK(callers[0].code() == aborted);
  engine.scripts["a"].rows = {4};
  ask_all({"c", "a"});
  settle();
  CHECK(callers.back().rows == Rows{4});
  take_ran();
  ask("a");
  settle();
  CHECK(engine.ran == Texts{"a"});
}

TEST_CASE_METHOD(Asking, "asked ahead: who is cancelled meanwhile is told so, and ends nobody else's wait") {
  ask_all({"a", "b", "c"});
  engine.scripts["a"].call = [&] { cancel(callers[1]); };
  settle();
  CHECK(engine.ran == Texts{"together: a b c", "a", "b", "c"});
  CHECK(callers[0].rows == Rows{1});
  CHECK(callers[1].code() == aborted);
  CHECK(callers[2].rows == Rows{3});
  check_all_clean();
}

TEST_CASE("asked ahead: what takes too long ends the wait, and who has no answer runs alone") {
  PoolOptions options;
  options.run_timeout = 20ms;  // which nobody's wait for his answer counts for
  Asking test(1, options);
  test.engine.scripts["slow"].endless = true;
  test.engine.scripts["slow"].call = [&] { test.clock->advance(10ms); };
  const auto began = test.clock->now();
  test.ask_all({"a", "slow", "b", "c"});
  test.settle();
  CHECK(test.clock->now() - began < 500ms);
  CHECK(test.engine.ran == Texts{"together: a slow b c", "a", "slow", "slow", "b", "c"});
  CHECK(test.callers[0].rows == Rows{1});
  CHECK(test.callers[1].code() == errc::deadline_exceeded);
  CHECK(test.callers[2].rows == Rows{2});
  CHECK(test.callers[3].rows == Rows{3});
  test.check_all_clean();
}

/// The connection is lost with `lost`, which is asked ahead with others, and runs alone then: `during` is called.
struct LeftBehind : Asking {
  explicit LeftBehind(unsigned readers = 1, PoolOptions options = {}) : Asking(readers, std::move(options)) {
    engine.deadly = "lost";
    engine.scripts["lost"].call = [this] {
      if (during) during();
    };
  }
  std::function<void()> during;
};

TEST_CASE_METHOD(LeftBehind, "asked ahead: who has no answer waits again where he was, and runs alone") {
  ask_all({"lost", "b", "c"});
  during = [&] { elsewhere([&] { ask_all({"a", "a"}); }); };
  settle();
  CHECK(engine.ran == Texts{"together: lost b c", "with care:", "lost", "with care:", "b", "with care:", "c",
                            "together: a a", "a", "a"});
  CHECK(callers[1].rows == Rows{2});
  CHECK(callers[2].rows == Rows{3});
  CHECK(callers[4].rows == Rows{1});
  CHECK(lane->stats().completed == 5);
  CHECK(lane->stats().batches == 4);
  check_all_clean();
}

TEST_CASE("asked ahead: who waits again is taken by another connection that idles") {
  LeftBehind test(2);
  Caller& holder = test.acquire();  // one of two: the other takes all that waits
  test.settle();
  test.ask_all({"lost", "b"});
  test.engine.on_note = [&](const std::string& text) {
    if (text == "b") test.elsewhere([&] { holder.lease.reset(); });
  };
  bool other_ran = false;
  test.during = [&] {
    test.step_db();
    other_ran = test.engine.times("b") == 1;
  };
  test.settle();
  CHECK(other_ran);
  CHECK(test.callers[2].rows == Rows{2});
  test.check_all_clean();
}

TEST_CASE_METHOD(LeftBehind, "asked ahead: who was cancelled meanwhile does not wait again") {
  engine.on_note = [&](const std::string& text) {
    if (text == "c") cancel(callers[1]);
  };
  ask_all({"lost", "b", "c"});
  settle();
  CHECK(callers[1].code() == aborted);
  CHECK(engine.ran == Texts{"together: lost b c", "with care:", "lost", "with care:", "c"});
  CHECK(callers[2].rows == Rows{3});
  CHECK(lane->stats().cancelled == 1);
  check_all_clean();
}

TEST_CASE_METHOD(LeftBehind, "asked ahead: who waits again can be cancelled as anybody who waits") {
  ask_all({"lost", "b"});
  during = [&] {
    cancel(callers[1], asio::cancellation_type::partial);
    run_callers();
    CHECK(callers[1].done());
  };
  settle();
  CHECK(callers[1].code() == aborted);
  CHECK(lane->stats().waiting == 0);
  check_all_clean();
}

TEST_CASE("asked ahead: who had a connection and has no answer has had his turn, however long it took") {
  PoolOptions options;
  options.acquire_timeout = 100ms;
  LeftBehind test(1, options);
  test.engine.on_note = [&](const std::string& text) {
    if (text == "b") test.clock->advance(200ms);
  };
  test.ask_all({"lost", "b"});
  test.settle();
  CHECK(test.callers[0].code() == boost::system::error_code());
  CHECK(test.engine.times("lost") == 1);
  test.check_all_clean();
}

TEST_CASE("asked ahead: who waits again waits no longer than acquire_timeout in all") {
  PoolOptions options;
  options.acquire_timeout = 1s;
  LeftBehind test(1, options);
  test.ask("a", {.timeout = 10ms});  // whose end the timer is armed for
  test.settle();
  test.ask_all({"lost", "b"});
  test.engine.on_note = [&](const std::string&) { test.clock->advance(5ms); };
  test.during = [&] {
    test.clock->advance(1s);
    test.run_callers();
    CHECK(test.callers[2].code() == errc::acquire_timeout);
  };
  test.settle();
  CHECK(test.callers[2].done());
  CHECK(test.engine.times("b") == 0);
  test.check_all_clean();
}

TEST_CASE_METHOD(LeftBehind, "asked ahead: who has no answer when the lane closes is told so") {
  engine.on_note = [&](const std::string& text) {
    if (text == "c") lane->close(std::make_exception_ptr(Error(errc::closed, "closed")));
  };
  ask_all({"a", "lost", "c"});
  settle();
  CHECK(callers[0].rows == Rows{1});
  for (const std::size_t i : {1U, 2U}) CHECK(callers[i].code() == errc::closed);
  CHECK(lane->stats().waiting == 0);
  CHECK(lane->parked());
}

TEST_CASE_METHOD(LeftBehind, "asked ahead: who has no answer waits while operations are held back") {
  engine.on_note = [&](const std::string& text) {
    if (text == "lost") elsewhere([&] { lane->hold_back(TimeLimit(0ms)); });
  };
  ask_all({"lost"});
  ask("b");
  settle();
  engine.on_note = {};
  CHECK_FALSE(callers[0].done());
  lane->open_again();
  settle();
  CHECK(callers[1].rows == Rows{2});
  check_all_clean();
}

TEST_CASE_METHOD(Asking,
                 "asked ahead: who was on his way when the connection was lost runs with care, and nobody else does") {
  engine.deadly = "b";
  ask_all({"a", "b", "c"});
  settle();
  CHECK(engine.ran == Texts{"together: a b c", "a", "with care:", "b", "with care:", "c"});
  CHECK(callers[2].rows == Rows{3});
  take_ran();
  ask("c");
  settle();
  CHECK(engine.ran == Texts{"c"});
}

TEST_CASE_METHOD(Asking, "asked ahead: where the connection breaks, the others run on a new one") {
  engine.scripts["breaks"].breaks = true;
  ask_all({"a", "breaks", "b", "c"});
  settle();
  CHECK(callers[2].rows == Rows{2});
  CHECK(callers[3].rows == Rows{3});
  CHECK(engine.opened == 3);  // it breaks once asked with the others, and once alone
  check_all_clean();
}

TEST_CASE_METHOD(Asking, "asked ahead: where the connection breaks for good, those behind are told so") {
  engine.scripts["breaks"].breaks = true;
  engine.scripts["breaks"].call = [&] { engine.opens = false; };
  ask_all({"a", "breaks", "b"});
  settle();
  CHECK(callers[0].rows == Rows{1});
  CHECK(callers[2].code() == make_sqlite_error(sql_cantopen));
  engine.opens = true;
  check_all_clean();
}

TEST_CASE_METHOD(Asking, "asked ahead: a shutdown that stops operations stops all that have asked") {
  ask_all({"a", "b"});
  engine.scripts["a"].call = [&] {
    lane->close(std::make_exception_ptr(Error(errc::closed, "closed")));
    lane->interrupt();
  };
  settle();
  for (const Caller& each : callers) CHECK(each.code() == errc::closed);
  CHECK(lane->parked());
}

TEST_CASE_METHOD(Asking, "asked ahead: what took long among others is asked alone, until it no longer does") {
  engine.scripts["b"].call = [&] { clock->advance(6ms); };
  ask_all({"a", "b", "c"});
  settle();
  CHECK(take_ran() == Texts{"together: a b c", "a", "b", "c"});
  engine.scripts["b"].call = {};
  ask_all({"b", "a", "c"});
  settle();
  CHECK(take_ran() == Texts{"b", "together: a c", "a", "c"});
  ask_all({"b", "a"});
  settle();
  CHECK(take_ran() == Texts{"together: b a", "b", "a"});
}

TEST_CASE_METHOD(Asking, "asked ahead: how long each took is its own, and the rest is waiting") {
  engine.scripts["a"].call = [&] { clock->advance(3ms); };
  engine.scripts["b"].call = [&] { clock->advance(4ms); };
  ask_all({"a", "b"});
  settle();
  CHECK(callers[0].ran == 3ms);
  CHECK(callers[1].ran == 4ms);
  CHECK(lane->stats().run_time() == 7ms);
  CHECK(lane->stats().wait_time() == 7ms);  // a for b, b for a: both are told at the end
}

}  // namespace
}  // namespace statehouse::test
