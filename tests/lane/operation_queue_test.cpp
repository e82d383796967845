// The queue of a lane by itself: no lane, no thread, no connection.

#include "lane_fixture.hpp"

namespace statehouse::test {
namespace {

using Clock = statehouse::Clock;
using progress = detail::Operation::progress;

struct Queue {
  detail::OperationQueue queue{3};
  detail::Slot slot;
  std::deque<Caller> callers;

  Caller& push(std::chrono::milliseconds wait_until = 0ms) {
    Caller& one = callers.emplace_back(
        detail::Request{connection_role::writer, kinds::statement, operation_verb::execute, {}}, "", nullptr);
    if (wait_until.count() > 0) one.wait_until = at(wait_until);
    queue.push(one);
    return one;
  }
  static Clock::time_point at(std::chrono::milliseconds time) { return Clock::time_point(time); }
  std::vector<detail::Operation*> empty() {
    std::vector<detail::Operation*> all;
    while (!queue.empty()) all.push_back(&queue.pop());
    return all;
  }
};

using Operations = std::vector<detail::Operation*>;

TEST_CASE_METHOD(Queue, "queue: what came first is taken first, and knows which slot runs it") {
  Caller& first = push();
  Caller& second = push();
  CHECK(first.status == progress::queued);
  CHECK(first.number < second.number);
  CHECK(queue.last_number() == second.number);
  CHECK(&queue.take(slot) == &first);
  CHECK(first.status == progress::running);
  CHECK(first.slot == &slot);
  CHECK(&queue.pop() == &second);
  CHECK(second.status == progress::done);
  CHECK(second.slot == nullptr);
  CHECK(queue.empty());
  CHECK(queue.last_number() == second.number);  // also when it is gone
}

TEST_CASE_METHOD(Queue, "queue: it is full at its limit, and no more when one is gone from the middle") {
  Caller& first = push();
  Caller& second = push();
  CHECK_FALSE(queue.full());
  Caller& third = push();
  CHECK(queue.full());
  queue.remove(second);
  CHECK(second.status == progress::done);
  CHECK_FALSE(queue.full());
  CHECK(empty() == Operations{&first, &third});
}

TEST_CASE_METHOD(Queue, "queue: those whose time is up go, in their order; while one hears of it, it still counts") {
  Caller& late = push(30ms);
  Caller& early = push(10ms);
  Caller& never = push();
  CHECK(queue.next_expiry() == at(10ms));
  std::vector<std::size_t> sizes;
  const auto note = [&](detail::Operation&) { sizes.push_back(queue.size()); };
  CHECK(queue.expire(at(9ms), note).empty());
  auto expired = queue.expire(at(10ms), note);
  CHECK(expired.size() == 1);
  CHECK(&expired.front() == &early);
  CHECK(early.status == progress::done);
  CHECK(queue.next_expiry() == at(30ms));
  expired.clear();
  Caller& also_late = push(20ms);
  expired = queue.expire(at(1h), note);
  CHECK(sizes == std::vector<std::size_t>{3, 3, 2});
  CHECK(&expired.front() == &late);
  CHECK(&expired.back() == &also_late);
  CHECK(queue.next_expiry() == Clock::time_point::max());
  CHECK(empty() == Operations{&never});
  expired.clear();
}

TEST_CASE_METHOD(Queue, "queue: while it is held nothing is ready, although more comes") {
  queue.hold();
  Caller& one = push();
  CHECK_FALSE(queue.ready());
  CHECK(queue.held());
  queue.release();
  CHECK(queue.ready());
  CHECK(empty() == Operations{&one});
  CHECK_FALSE(queue.ready());
}

TEST_CASE_METHOD(Queue, "queue: closing fails all that wait, in their order, and leaves it empty") {
  Caller& first = push();
  Caller& second = push();
  CHECK(queue.closed() == nullptr);
  auto refused = queue.close(std::make_exception_ptr(Error(errc::closed, "over")));
  CHECK(queue.closed() != nullptr);
  CHECK(queue.empty());
  CHECK(&refused.front() == &first);
  CHECK(&refused.back() == &second);
  for (Caller* one : {&first, &second}) {
    CHECK(one->status == progress::done);
    CHECK(one->code() == errc::closed);
  }
  refused.clear();
}

}  // namespace
}  // namespace statehouse::test
