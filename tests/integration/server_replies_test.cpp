#include <catch2/catch_test_macros.hpp>
#include <string>

#include "../../backend/server/json_replies.hpp"
#include "statehouse/error.hpp"

namespace {

using namespace statehouse;

TEST_CASE("server: a failure's reply says what to do, and where a cluster has no leader, that") {
  const auto reply = [](errc code) { return server::failure_reply(Error(code, "for the log", {"context", {}})); };
  const auto no_leader = reply(errc::unavailable);
  CHECK(no_leader.status == 503);
  CHECK(no_leader.body == R"({"error":{"code":"overloaded","message":"the cluster has no leader now, try again"}})");
  CHECK(no_leader.headers == decltype(no_leader.headers){{"Retry-After", "1"}});
  CHECK(reply(errc::queue_full).body.find("did not answer in time, try again later") != std::string::npos);
}

}  // namespace
