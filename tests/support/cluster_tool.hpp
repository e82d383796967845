#pragma once

#include <string>
#include <utility>

#include "../cli/tool.hpp"
#include "cluster_fixture.hpp"
#include "cluster_leader.hpp"

namespace statehouse::test {

/// Three nodes, and the tool to run on them in a directory of its own.
struct ClusterWorkshop : Workshop {
  /// "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"
  std::string nodes() const {
    std::string text;
    for (const std::string& each : cluster.addresses()) text += (text.empty() ? "" : ",") + each;
    return text;
  }
  /// With a patience that no busy machine uses up, where the test does not say otherwise.
  ToolRun on_cluster(ToolProcess::Words words, const char* find_leader = "120") const {
    words.insert(words.end(), {"--cluster", nodes(), "--dial-timeout", "120", "--find-leader", find_leader});
    return json(std::move(words));
  }
  std::string id_of(std::size_t index) const { return std::to_string(index + 1); }

  ClusterFixture cluster;
};

inline std::string message_of(const ToolRun& run) {
  return text_of(run.document().at("error").at("message"));
}

}  // namespace statehouse::test
