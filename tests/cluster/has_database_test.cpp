#include <catch2/catch_test_macros.hpp>
#include <string>

#include "eventually.hpp"
#include "fake_node.hpp"
#include "statehouse/cluster_admin.hpp"

namespace statehouse::test {
namespace {

using detail::wire::request;
using detail::wire::response;

std::string member(std::uint64_t id, const FakeNode& node) {
  return FakeNode::number(id) + FakeNode::text(node.address()) + FakeNode::number(0);
}

/// Of as many bytes, in words; none where there is no such database.
Reply files(std::size_t words) {
  return FakeNode::answer(response::files, FakeNode::number(2) + FakeNode::text("a.db") + FakeNode::number(8 * words) +
                                               std::string(8 * words, 'x') + FakeNode::text("a.db-wal") +
                                               FakeNode::number(0));
}

/// A leader and a follower; each with its own answer to whoever wants a copy.
struct LeaderAndFollower {
  const Reply of_leader;
  const Reply of_follower;
  FakeNode follower{[this](request, const std::string&) { return of_follower; }};
  FakeNode leader{[this](request type, const std::string&) {
    if (type == request::dump) return of_leader;
    return FakeNode::answer(response::servers, FakeNode::number(2) + member(1, leader) + member(2, follower));
  }};

  bool has_database() const {
    const ClusterOptions options{
        .nodes = {leader.address()}, .database = "a.db", .dial_timeout = patience, .find_leader = patience};
    return ClusterAdmin(options).has_database();
  }
};

TEST_CASE("cluster admin: the leader makes no copy of a database to tell that it is there, as long as another can") {
  const LeaderAndFollower both{files(1), files(1)};
  CHECK(both.has_database());
  CHECK(both.follower.asked(request::dump) == 1);
  CHECK(both.leader.asked(request::dump) == 0);
}

TEST_CASE("cluster admin: that a database is not there is the leader's to say") {
  for (const Reply& reply : {files(0), FakeNode::hang_up(), FakeNode::failure(1, "no")}) {
    const LeaderAndFollower behind{files(1), reply};
    CHECK(behind.has_database());
    const LeaderAndFollower without{files(0), reply};
    CHECK_FALSE(without.has_database());
  }
}

}  // namespace
}  // namespace statehouse::test
