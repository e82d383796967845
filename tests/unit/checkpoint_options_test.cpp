#include <catch2/catch_test_macros.hpp>

#include "pool/checkpoint_options.hpp"

using namespace statehouse;
using namespace std::chrono_literals;

TEST_CASE("checkpoint external: locks of the other process are waited for 5 s, or longer where that is asked for") {
  const auto patience = [](checkpoint_mode mode, TimeLimit asked) {
    PoolOptions options;
    options.checkpoint = mode;
    options.connection.busy_timeout = asked;
    return detail::with_checkpoint_patience(options).connection.busy_timeout;
  };
  for (const auto mode : {checkpoint_mode::external, checkpoint_mode::external_up_to_limit}) {
    CHECK(patience(mode, PoolOptions().connection.busy_timeout) == TimeLimit(5s));
    CHECK(patience(mode, 0ms) == TimeLimit(5s));
    CHECK(patience(mode, 8s) == TimeLimit(8s));
  }
  CHECK(patience(checkpoint_mode::own, 0ms) == TimeLimit(0ms));
}
