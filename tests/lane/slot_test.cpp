// A slot by itself: its states, its lease, its connection.

#include <stdexcept>

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

using detail::Slot;
using state = Slot::state;
using progress = detail::Operation::progress;

constexpr state all_states[] = {state::idle,           state::scheduled,      state::running, state::leased_idle,
                                state::leased_waiting, state::leased_running, state::parked};

/// One of an idle lane that nobody else uses: only the lease refers to the lane.
struct OneSlot : LaneTest {
  Slot slot;

  OneSlot() {
    slot.interrupter = std::make_shared<detail::Interrupter>(clock);
    slot.connection = open(slot.interrupter);
  }

  detail::LeaseHandle lease(const Kind& kind) {
    Caller holder(request(kind), "", nullptr);
    slot.lease_to(holder, *lane, owner, clock->now());
    return holder.take_lease();
  }
};

TEST_CASE("slot: the ways from one state to another are those of its diagram") {
  const std::map<state, std::vector<state>> ways{
      {state::idle, {state::scheduled, state::running, state::leased_idle, state::parked}},
      {state::scheduled, {state::running, state::parked}},
      {state::running, {state::idle, state::scheduled, state::leased_idle, state::parked}},
      {state::leased_idle, {state::idle, state::scheduled, state::leased_idle, state::leased_waiting, state::parked}},
      {state::leased_waiting, {state::leased_idle, state::leased_running}},
      {state::leased_running, {state::leased_idle}},
      {state::parked, {}}};
  for (const state from : all_states) {
    for (const state to : all_states) {
      CAPTURE(int(from), int(to));
      const auto& there = ways.at(from);
      CHECK(Slot::may_follow(from, to) == (std::ranges::find(there, to) != there.end()));
    }
  }
}

TEST_CASE_METHOD(OneSlot, "slot: a thread has it while it is running or runs for a lease, and only then") {
  CHECK_FALSE(slot.running());
  slot.enter(state::scheduled);
  CHECK_FALSE(slot.running());
  slot.enter(state::running);
  CHECK(slot.running());
  CHECK_FALSE(slot.in_use());  // between two operations
  const Caller operation(request(kinds::statement), "", nullptr);
  slot.begin(operation, clock->now());
  CHECK(slot.in_use());
  CHECK(slot.at_work());
  slot.end();
  CHECK_FALSE(slot.at_work());
  const auto handle = lease(kinds::acquire);
  CHECK(slot.in_use());
  CHECK_FALSE(slot.running());
  Caller waiting(request(kinds::statement), "", nullptr);
  slot.wait_on_lease(waiting);
  CHECK_FALSE(slot.running());
  CHECK(&slot.run_on_lease() == &waiting);
  CHECK(slot.running());
  CHECK(waiting.status == progress::running);
  CHECK_FALSE(slot.at_work());  // not on the queue's
}

TEST_CASE_METHOD(OneSlot, "slot: a lease is known by its ticket, which no later lease has") {
  const auto first = lease(kinds::acquire);
  CHECK(slot.leased_as(first.ref().ticket));
  CHECK_FALSE(slot.lease().in_transaction);
  slot.drop_lease();
  const auto second = lease(kinds::begin);  // goes over at once
  CHECK_FALSE(slot.leased_as(first.ref().ticket));
  CHECK_FALSE(slot.lease().dropped);
  CHECK(slot.leased_as(second.ref().ticket));
  CHECK(slot.lease().in_transaction);
  slot.enter(state::idle);
  CHECK_FALSE(slot.leased_as(slot.lease().ticket));  // whatever the number, it is not leased
}

TEST_CASE_METHOD(OneSlot, "slot: what waits on a lease may be given up, and the holder goes on") {
  const auto handle = lease(kinds::acquire);
  Caller waiting(request(kinds::statement), "", nullptr);
  slot.wait_on_lease(waiting);
  CHECK(waiting.status == progress::queued);
  CHECK(waiting.slot == &slot);
  CHECK(&slot.give_up_waiting() == &waiting);
  CHECK(waiting.status == progress::done);
  CHECK(slot.is(state::leased_idle));
  CHECK(slot.leased_as(handle.ref().ticket));
}

TEST_CASE_METHOD(OneSlot, "slot: cleaning rolls back what is open, closes what cannot be cleaned, and counts both") {
  slot.clean();
  CHECK(slot.rolled_back() == 0);
  slot.session()->begin(detail::transaction_kind::immediate);
  slot.clean();
  CHECK_FALSE(slot.session()->in_transaction());
  CHECK(slot.rolled_back() == 1);
  engine.scripts["breaks"].breaks = true;
  CHECK(slot.connection->query_all<std::int64_t>("breaks").empty());
  slot.clean();
  CHECK(slot.connection == nullptr);
  CHECK(slot.session() == nullptr);
  CHECK(slot.replaced() == 1);
  slot.clean();  // nothing to be done
  CHECK(slot.replaced() == 1);
}

TEST_CASE_METHOD(OneSlot, "slot: made ready it is clean, open and looked after; the error is why it cannot be") {
  const auto reopen = [this](const auto& interrupter) { return open(interrupter); };
  int seen = 0;
  std::function<void(detail::Session&)> before_next = [&](detail::Session&) { ++seen; };
  slot.session()->begin(detail::transaction_kind::immediate);
  CHECK(slot.make_ready(reopen, &before_next) == nullptr);
  CHECK_FALSE(slot.session()->in_transaction());
  CHECK(seen == 1);
  CHECK(slot.make_ready(reopen, nullptr) == nullptr);
  CHECK(seen == 1);
  slot.connection.reset();
  engine.opens = false;
  CHECK_THROWS_AS(std::rethrow_exception(slot.make_ready(reopen, &before_next)), Error);
  CHECK(seen == 1);
  engine.opens = true;
  CHECK(slot.make_ready(reopen, &before_next) == nullptr);
  CHECK(seen == 2);
  before_next = [](detail::Session&) { throw std::runtime_error("mine"); };
  CHECK_THROWS_AS(std::rethrow_exception(slot.make_ready(reopen, &before_next)), std::runtime_error);
  before_next = {};
  CHECK(slot.make_ready(reopen, &before_next) == nullptr);
}

}  // namespace
}  // namespace statehouse::test
