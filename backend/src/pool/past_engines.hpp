#pragma once

#include <array>
#include <memory>
#include <optional>

#include "engine/engine.hpp"

namespace statehouse::detail {

/// What the engines have told that a pool had before it fell asleep: of a hundred thousand that sleep somebody keeps
/// it, so there is room only for what was counted.
class PastEngines {
 public:
  /// One that is released.
  void add(const EngineFacts& facts);
  /// All of them with the one that there is; else sizes are those when the last was released.
  EngineFacts with(std::optional<EngineFacts> present) const;

 private:
  std::array<std::unique_ptr<CheckpointStats>, std::tuple_size_v<decltype(EngineFacts::checkpoints)>> checkpoints_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t wal_bytes_ = 0;
  bool vulnerable_sqlite_ = false;
};

}  // namespace statehouse::detail
