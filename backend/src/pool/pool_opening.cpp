#include <spdlog/logger.h>

#include <utility>

#include "cluster/cluster_engine.hpp"
#include "engine/connection_access.hpp"
#include "file/descriptors.hpp"
#include "pool/cluster_options.hpp"
#include "pool/pool_core.hpp"
#include "sqlite/local_engine.hpp"
#include "sqlite/read_only_engine.hpp"

// How a pool is opened, for the first time and when it wakes.

namespace statehouse::detail {

/// Known to nobody yet.
std::shared_ptr<PoolCore> PoolCore::open_alone(PoolConfig config, const Migrator* migrator,
                                               const std::shared_ptr<Interrupter>& interrupter,
                                               ConnectionPermit permit) {
  auto core = std::make_shared<PoolCore>(std::move(config), migrator);
  const auto began = core->config_.clock->now();
  core->context_.owner = core;
  core->open_engine(interrupter, permit);
  core->opening_time_ = core->config_.clock->now() - began;
  return core;
}

std::shared_ptr<PoolCore> PoolCore::open(PoolConfig config, const Migrator* migrator,
                                         const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit permit) {
  auto core = open_alone(std::move(config), migrator, interrupter, std::move(permit));
  if (core->backups_) core->backups_->begin(core);
  core->rest_ = rest::awake;
  if (core->context_.budget != nullptr) core->config_.awake->add(*core);
  core->give_way_if_wanted();
  return core;
}

MigrationReport PoolCore::bring_up_to_date(PoolConfig config, const Migrator* migrator,
                                           const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit permit) {
  const auto core = open_alone(std::move(config), migrator, interrupter, std::move(permit));
  if (auto& readers = core->readers_) readers->close_connections();
  core->writer_.close_connections();
  if (const std::string unfinished = core->release_engine(); !unfinished.empty())
    core->config_.logger->error("database '{}': {}", core->config_.name, unfinished);
  return core->applied();
}

std::unique_ptr<Engine> PoolCore::make_engine(const std::shared_ptr<Interrupter>& interrupter, bool unchanged) {
  if (in_cluster(*config_.options))
    return std::make_unique<ClusterEngine>(ClusterEngineConfig{.database = config_.name,
                                                               .cluster = config_.options->cluster,
                                                               .connection = config_.options->connection,
                                                               .logger = config_.logger});
  LocalEngineConfig config{.path = config_.path,
                           .database = config_.name,
                           .options = *config_.options,
                           .clock = config_.clock,
                           .logger = config_.logger,
                           .known = rest_ != rest::opening,
                           .unchanged = unchanged,
                           .watch = &changes_};
  if (config_.options->read_only) return std::make_unique<ReadOnlyEngine>(std::move(config), interrupter);
  return std::make_unique<LocalEngine>(std::move(config), interrupter);
}

/// Unless the file is as this pool has left it, the writer makes the log and its index and migrates before any reader
/// looks at it.
void PoolCore::open_engine(const std::shared_ptr<Interrupter>& interrupter, ConnectionPermit& permit) {
  const bool unchanged = left_ && left_->matches(config_.path);
  auto engine = open_with_room([&] { return make_engine(interrupter, unchanged); });
  {
    std::lock_guard lock(engine_mutex_);
    engine_ = std::move(engine);
  }
  if (unchanged) return;
  if (config_.options->read_only) {
    begin_reading(interrupter);
  } else {
    begin_writing(interrupter);
  }
  permit.hand_on();
}

void PoolCore::begin_writing(const std::shared_ptr<Interrupter>& interrupter) {
  auto writer = connect(connection_role::writer, interrupter);
  schema_.bring_up_to_date(*writer, *engine_);
  engine_->begin_service(session_of(*writer));
  writer_.add(std::move(writer), interrupter);
}

/// What the database lacks is not for us to add.
void PoolCore::begin_reading(const std::shared_ptr<Interrupter>& interrupter) {
  auto reader = connect(connection_role::reader, interrupter);
  schema_.require_up_to_date(*reader);
  if (readers_) readers_->add(std::move(reader), interrupter);
}

/// Where the descriptors of the process run out others give way.
template <class Open>
auto PoolCore::open_with_room(Open open) const -> decltype(open()) {
  for (;;) {
    try {
      return open();
    } catch (const Error&) {
      if (config_.awake == nullptr || !out_of_descriptors() || !config_.awake->make_room()) throw;
    }
  }
}

std::unique_ptr<Connection> PoolCore::connect(connection_role role, const std::shared_ptr<Interrupter>& interrupter) {
  return open_with_room([&] { return detail::connect(engine_->open(role, interrupter), config_.options->connection); });
}

}  // namespace statehouse::detail
