#include <catch2/catch_test_macros.hpp>
#include <string>

#include "cluster_tool.hpp"
#include "error_of.hpp"
#include "fake_node.hpp"

namespace statehouse::test {
namespace {

const json::object& member_of(const json::object& document, const std::string& address) {
  for (const auto& node : document.at("nodes").as_array())
    if (text_of(node.at("address")) == address) return node.as_object();
  throw std::runtime_error(address + " is not in " + json::serialize(document));
}

/// One node that is a standby, as it says; that answers every change with `answer`.
FakeNode::Script with_one_standby(const FakeNode* const& node, const Reply& answer) {
  return [&node, answer](detail::wire::request type, const std::string&) {
    using detail::wire::request;
    using detail::wire::response;
    if (type == request::cluster)
      return FakeNode::answer(response::servers, FakeNode::number(1) + FakeNode::number(1) +
                                                     FakeNode::text(node->address()) + FakeNode::number(1));
    if (type == request::describe)
      return FakeNode::answer(response::metadata, FakeNode::number(0) + FakeNode::number(1));
    return answer;
  };
}

std::vector<std::string> of_another_cluster(const testing::TempDir& dir, const std::string& address) {
  return {"--id", "1", "--address", address, "--data-dir", (dir / "other").string()};
}

TEST_CASE("statehouse cluster: status shows every node, who leads, and who does not answer") {
  ClusterWorkshop shop;
  const std::size_t leader = leader_of(shop.cluster);
  const ToolRun whole = shop.on_cluster({"cluster", "status"});
  CHECK(whole.exit_code == 0);
  const json::object document = whole.document();
  CHECK(document.at("nodes").as_array().size() == 3);
  CHECK(document.at("leader").to_number<std::size_t>() == leader + 1);
  for (std::size_t i = 0; i < ClusterFixture::size; ++i) {
    const json::object& node = member_of(document, shop.cluster.addresses()[i]);
    CHECK(node.at("id").to_number<std::size_t>() == i + 1);
    CHECK(text_of(node.at("role")) == "voter");
    CHECK(node.at("leads").as_bool() == (i == leader));
    CHECK(node.at("trouble").is_null());
  }
  const std::size_t lost = (leader + 1) % ClusterFixture::size;
  shop.cluster.kill(lost);
  const ToolRun degraded = shop.on_cluster({"cluster", "status"});
  CHECK(degraded.exit_code == 1);
  CHECK(degraded.kind() == "degraded");
  CHECK(contains(text_of(member_of(degraded.document(), shop.cluster.addresses()[lost]).at("trouble")),
                 "Connection refused"));
  shop.cluster.kill((leader + 2) % ClusterFixture::size);
  // The one that led hears nobody, and leads no more after a while.
  ToolRun alone = shop.on_cluster({"cluster", "status"});
  while (alone.kind() == "degraded") alone = shop.on_cluster({"cluster", "status"});
  CHECK(alone.kind() == "unavailable");
  CHECK(alone.document().at("leader").is_null());
  CHECK(alone.document().at("nodes").as_array().size() == 3);
}

TEST_CASE("statehouse cluster: status ends also where no leader is known and no limit is set for an answer") {
  const Workshop shop;
  const FakeNode* self = nullptr;
  FakeNode node(with_one_standby(self, {}));
  self = &node;
  node.set_leader("");
  const ToolRun run = shop.json({"cluster", "status", "--cluster", node.address(), "--dial-timeout", "0"});
  CHECK(run.exit_code == 1);
  CHECK(run.document().at("leader").is_null());
  CHECK(text_of(member_of(run.document(), node.address()).at("trouble")) == "knows no leader");
  CHECK(node.asked(detail::wire::request::describe) > 1);  // it may have agreed some moments later
}

TEST_CASE("statehouse cluster: a change while another one is under way is refused as that, not as another leader") {
  const Workshop shop;
  const FakeNode* self = nullptr;
  FakeNode node(with_one_standby(self, FakeNode::failure(5, "a configuration change is already in progress")));
  self = &node;
  const ToolRun run =
      shop.json({"cluster", "add", "1", node.address(), "--cluster", node.address(), "--dial-timeout", "120"});
  CHECK(run.exit_code == 1);
  CHECK(run.kind() == "unavailable");
  CHECK(contains(message_of(run), "another change of the members is under way, and nothing was done: a configuration"));
  CHECK(contains(message_of(run), "'statehouse cluster status', and try again"));
}

TEST_CASE("statehouse cluster: where the next one does not come to lead, it is said to try once more") {
  const Workshop shop;
  FakeNode next;  // who knows no leader, so has nothing to take over
  next.set_leader("");
  const FakeNode* self = nullptr;
  FakeNode node([&](detail::wire::request, const std::string&) {
    const auto voter = [](std::uint64_t id, const std::string& address) {
      return FakeNode::number(id) + FakeNode::text(address) + FakeNode::number(0);
    };
    return FakeNode::answer(detail::wire::response::servers,
                            FakeNode::number(2) + voter(1, self->address()) + voter(2, next.address()));
  });
  self = &node;
  const ToolRun run = shop.json({"cluster", "transfer", "2", "--cluster", node.address(), "--dial-timeout", "120"});
  CHECK(run.kind() == "unavailable");
  CHECK(contains(message_of(run), "node 2 at " + next.address() +
                                      " was told to lead and does not: try once more; if it stays so, see that it is "
                                      "reached by the others"));
}

TEST_CASE("statehouse cluster: status is a table for people, and ends with 0 where all is well") {
  const ClusterWorkshop shop;
  const std::size_t leader = leader_of(shop.cluster);
  const ToolRun run =
      shop.run({"cluster", "status", "--cluster", shop.nodes(), "--dial-timeout", "120", "--find-leader", "120"});
  CHECK(run.exit_code == 0);
  CHECK(contains(run.out, "id  address"));
  CHECK(contains(run.out, shop.cluster.addresses()[leader] + "  voter  leads"));
  CHECK(run.err.empty());
}

TEST_CASE("statehouse cluster: another node is made to lead, and a removed one is no member any more") {
  ClusterWorkshop shop;
  const std::size_t leader = leader_of(shop.cluster);
  const std::size_t next = (leader + 1) % ClusterFixture::size;
  CHECK(shop.on_cluster({"cluster", "transfer", shop.id_of(next)}).exit_code == 0);
  CHECK(leader_of(shop.cluster) == next);
  CHECK(shop.on_cluster({"cluster", "transfer", shop.id_of(next)}).exit_code == 0);  // it does already
  // One that leads hands over before it goes.
  const ToolRun removed = shop.on_cluster({"cluster", "remove", shop.id_of(next), "--yes"});
  CHECK(removed.exit_code == 0);
  CHECK(contains(removed.err, "it still runs"));
  const ToolRun left = shop.on_cluster({"cluster", "status"});
  CHECK(left.exit_code == 0);
  CHECK(left.document().at("nodes").as_array().size() == 2);
  // Where two are left, none of them can be spared when the other is down.
  const std::size_t third = 3 - leader - next;
  shop.cluster.kill(third);
  const ToolRun refused = shop.on_cluster({"cluster", "remove", shop.id_of(leader), "--yes"}, "2");
  CHECK(refused.exit_code == 1);
  CHECK((refused.kind() == "refused" || refused.kind() == "unavailable"));  // as long as it takes itself for the leader
}

TEST_CASE("statehouse cluster: a node is removed, added again and given other roles while the others serve") {
  ClusterWorkshop shop;
  const std::size_t leader = leader_of(shop.cluster);
  const std::size_t other = (leader + 1) % ClusterFixture::size;
  const std::string address = shop.cluster.addresses()[other];
  CHECK(shop.on_cluster({"cluster", "add", shop.id_of(other), address, "--role", "spare"}).exit_code == 0);
  CHECK(text_of(member_of(shop.on_cluster({"cluster", "status"}).document(), address).at("role")) == "spare");
  CHECK(shop.on_cluster({"cluster", "remove", shop.id_of(other), "--yes"}).exit_code == 0);
  CHECK(shop.on_cluster({"cluster", "add", shop.id_of(other), address}).exit_code == 0);
  CHECK(shop.on_cluster({"cluster", "add", shop.id_of(other), address}).exit_code == 0);  // it is already
  const ToolRun whole = shop.on_cluster({"cluster", "status"});
  CHECK(whole.exit_code == 0);
  CHECK(text_of(member_of(whole.document(), address).at("role")) == "voter");
}

TEST_CASE("statehouse cluster: what would harm the cluster is refused with what to do, and changes nothing") {
  ClusterWorkshop shop;
  const std::size_t leader = leader_of(shop.cluster);
  const auto& addresses = shop.cluster.addresses();
  const auto message = [](const ToolRun& run) {
    CHECK(run.exit_code == 1);
    return message_of(run);
  };
  CHECK(contains(message(shop.on_cluster({"cluster", "remove", "9", "--yes"})), "no node 9, but 1, 2, 3"));
  CHECK(contains(message(shop.on_cluster({"cluster", "transfer", "9"})), "no node 9, but 1, 2, 3"));
  CHECK(contains(message(shop.on_cluster({"cluster", "add", "9", addresses[0]})), "node 1 at " + addresses[0]));
  CHECK(contains(message(shop.on_cluster({"cluster", "add", "1", free_address()})), "node 1 at " + addresses[0]));
  CHECK(contains(message(shop.on_cluster({"cluster", "add", "9", free_address()})), "start statehouse-node there"));
  const testing::TempDir dir;
  const std::string stranger = free_address();
  NodeProcess other(of_another_cluster(dir, stranger));
  REQUIRE(other.says(": leads\n"));
  CHECK(contains(message(shop.on_cluster({"cluster", "add", "9", stranger})), "another cluster"));
  const ToolRun only = shop.json({"cluster", "remove", "1", "--yes", "--cluster", stranger, "--dial-timeout", "10"});
  CHECK(contains(message(only), "the only voter"));
  const std::size_t lost = (leader + 1) % ClusterFixture::size;
  shop.cluster.kill(lost);
  CHECK(contains(message(shop.on_cluster({"cluster", "transfer", shop.id_of(lost)})), "start it first"));
  const std::string last = shop.id_of((leader + 2) % ClusterFixture::size);
  CHECK(contains(message(shop.on_cluster({"cluster", "remove", last, "--yes"})), "no majority"));
  CHECK(contains(message(shop.on_cluster({"cluster", "add", last, addresses[std::stoul(last) - 1], "--role", "spare"})),
                 "no majority"));
  CHECK(shop.on_cluster({"cluster", "status"}).document().at("nodes").as_array().size() == 3);
  CHECK(shop.on_cluster({"cluster", "remove", shop.id_of(lost), "--yes"}).exit_code == 0);  // the lost one can go
}

TEST_CASE(
    "statehouse cluster: wrong usage ends with 2, and a cluster that is not there with 1 and what each node said") {
  const Workshop shop;
  CHECK(shop.json({"cluster", "status"}).exit_code == 2);
  CHECK(shop.json({"cluster", "status", "--cluster", "here"}).exit_code == 2);
  CHECK(shop.json({"cluster", "status", "--cluster", "127.0.0.1:9001,"}).exit_code == 2);
  CHECK(shop.json({"cluster", "remove", "--cluster", "127.0.0.1:9001", "0"}).exit_code == 2);
  CHECK(shop.json({"cluster", "add", "--cluster", "127.0.0.1:9001", "4", "127.0.0.1:9004", "--role", "x"}).exit_code ==
        2);
  const std::string nobody = free_address();
  const ToolRun run = shop.json({"cluster", "status", "--cluster", nobody});
  CHECK(run.exit_code == 1);
  CHECK(run.kind() == "unavailable");
  CHECK(contains(message_of(run), nobody + ": Connection refused"));
  const ToolRun found =
      shop.json({"cluster", "transfer", "1", "--cluster", nobody, "--find-leader", "0.1", "--dial-timeout", "1"});
  CHECK(found.kind() == "unavailable");
}

}  // namespace
}  // namespace statehouse::test
