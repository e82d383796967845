// What has stopped one operation is nothing to the next: not even to the connection that is opened for it.

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

/// One connection, which `breaks` leaves so that it cannot be cleaned, after which the time of its caller is up.
struct Stopped : LaneTest {
  Stopped() {
    engine.scripts["breaks"].breaks = true;
    writes("a");
  }

  static constexpr CallOptions a_moment{.run_timeout = 100ms};
  Caller::Run breaks = [this](Connection& connection) {
    connection.execute("breaks");
    clock->advance(150ms);
  };
};

TEST_CASE_METHOD(Stopped, "stop: the connection that is opened for the next operation is not stopped") {
  Caller& broken = ask(kinds::lone_statement, "", a_moment, breaks);
  Caller& next = ask("a");
  settle();
  CHECK(broken.text() == "");
  CHECK(next.text() == "");
  CHECK(engine.opened == 2);
  check_all_clean();
}

TEST_CASE_METHOD(Stopped, "stop: the connection that is opened for the next of a lost transaction is not stopped") {
  engine.scripts["breaks"].ends_transaction = true;
  Caller& before = ask("a");
  ask(kinds::statement, "", a_moment, breaks);
  Caller& after = ask("a");
  settle();
  CHECK(before.text() == "");
  CHECK(after.text() == "");
  CHECK(engine.kept == Texts{"a", "a"});
  CHECK(engine.opened == 3);
  check_all_clean();
}

TEST_CASE_METHOD(Stopped, "stop: one whose time was up in a shared transaction is not run again, with all of it anew") {
  engine.scripts["slow"].writes = true;
  engine.scripts["slow"].call = [this] { clock->advance(150ms); };
  ask("a");
  Caller& slow = ask("slow", a_moment);
  ask("a");
  settle();
  CHECK(slow.code() == errc::deadline_exceeded);
  CHECK(engine.times("slow") == 1);
  CHECK(engine.kept == Texts{"a", "a"});
  check_all_clean();
}

TEST_CASE_METHOD(Stopped, "stop: the connection that is opened for the next operation of a lease is not stopped") {
  Caller& holder = acquire();
  settle();
  detail::submit(holder.lease.ref(), caller(request(kinds::statement, a_moment), "", breaks));
  settle();
  Caller& next = ask_on(holder, kinds::statement, "a");
  settle();
  CHECK(next.text() == "");
  CHECK(engine.opened == 2);
  holder.lease.reset();
  check_all_clean();
}

}  // namespace
}  // namespace statehouse::test
