#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "pool/turn_queue.hpp"

namespace statehouse::test {
namespace {

struct Queue {
  boost::asio::io_context threads;
  detail::DatabaseExecutor::Target target =
      std::make_shared<const boost::asio::any_io_executor>(threads.get_executor());
  std::shared_ptr<detail::TurnQueue> queue = std::make_shared<detail::TurnQueue>(detail::DatabaseExecutor(target));

  bool step() {
    threads.restart();
    return threads.poll_one() != 0;
  }
};

TEST_CASE("turn queue: one turn at a time, in order, on the database threads") {
  Queue x;
  std::vector<int> ran;
  x.queue->add([&] {
    ran.push_back(1);
    x.queue->add([&] { ran.push_back(3); });
    CHECK_FALSE(x.step());  // another thread finds nothing to do meanwhile
  });
  x.queue->add([&] { ran.push_back(2); });
  CHECK(ran.empty());
  CHECK(x.step());
  CHECK(ran == std::vector<int>{1});
  CHECK(x.step());
  CHECK(x.step());
  CHECK_FALSE(x.step());
  CHECK(ran == std::vector<int>{1, 2, 3});
}

TEST_CASE("turn queue: what comes when the threads are over is dropped, and so is what they have not come to") {
  const auto held = std::make_shared<int>();
  {
    Queue x;
    x.queue->add([held] {});
    x.target.reset();
    x.queue->add([held] {});
    CHECK(held.use_count() == 3);
  }
  CHECK(held.use_count() == 1);
}

}  // namespace
}  // namespace statehouse::test
