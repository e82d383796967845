#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "engine/engine.hpp"
#include "pool/pool_config.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::detail {

/// The migrations of one database, and what of them is applied. Thread-safety: `bring_up_to_date` and
/// `require_up_to_date` by one thread at a time, the rest from any.
class Schema {
 public:
  /// `config` outlives this. Null: there are no migrations.
  Schema(const PoolConfig& config, const Migrator* migrator);

  /// Runs what is pending on the writer, before anybody else looks at the file. Throws MigrationError, Error.
  void bring_up_to_date(Connection& writer, Engine& engine);
  /// The same without a writer: throws MigrationError with `errc::migration_pending` if anything is.
  void require_up_to_date(Connection& reader);
  void tell(DatabaseStats& stats) const;
  MigrationReport applied() const;  ///< By the last opening that had to look.

 private:
  MigrationReport run(const Migrator& migrator, Connection& writer) const;

  const PoolConfig& config_;
  const std::optional<Migrator> migrator_;

  mutable std::mutex mutex_;
  MigrationReport applied_;
  std::size_t total_ = 0;  // of all looks, that a counter does not fall
};

}  // namespace statehouse::detail
