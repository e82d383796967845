#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cluster/leader.hpp"
#include "engine/engine.hpp"
#include "statehouse/options.hpp"

namespace spdlog {
class logger;
}

namespace statehouse::detail {

struct ClusterEngineConfig {
  std::string database;  ///< Logical name.
  ClusterOptions cluster;
  ConnectionOptions connection;
  std::shared_ptr<spdlog::logger> logger;
};

/// SQLite inside the leader of a cluster of dqlite's nodes. Those look after log, checkpoints and files themselves;
/// `optimize` would be replicated as a write from each process that uses the cluster.
class ClusterEngine final : public Engine {
 public:
  explicit ClusterEngine(ClusterEngineConfig config)
      : config_(std::move(config)), leader_(std::make_shared<Leader>(config_.cluster)) {}

  std::unique_ptr<Session> open(connection_role role, std::shared_ptr<Interrupter> interrupter) override;
  std::optional<Loss> loss() const override { return std::nullopt; }
  EngineFacts facts() const override { return {}; }
  bool missed_leader_since(Clock::time_point since) const override { return leader_->missed_at() >= since; }

 private:
  const ClusterEngineConfig config_;
  const std::shared_ptr<Leader> leader_;
};

}  // namespace statehouse::detail
