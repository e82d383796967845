#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "state/registry.hpp"
#include "statehouse/migrate_all.hpp"

namespace statehouse::detail {

/// One call of migrate_all: has the files looked for, and visits so many databases at once until all are done, or it is
/// cancelled, or the shutdown begins. The caller is resumed when none is visited any more.
class MigrateAllRun final : public Suspension {
 public:
  MigrateAllRun(std::shared_ptr<Registry> registry, NamePattern pattern, MigrateAllOptions options)
      : registry_(std::move(registry)), pattern_(std::move(pattern)), options_(std::move(options)) {}

  void start();
  /// Once it is resumed. Throws what has kept it from beginning, or what `progress` has thrown.
  MigrateAllReport take();

 private:
  void on_cancel(asio::cancellation_type type) noexcept override;
  void find();
  void go_on() noexcept;
  void begin(std::size_t index) noexcept;
  void note(std::size_t index, const Visit& visit) noexcept;
  void end(std::exception_ptr error) noexcept;

  const std::shared_ptr<Registry> registry_;
  const NamePattern pattern_;
  const MigrateAllOptions options_;

  std::mutex telling_;    // of `progress`
  std::size_t told_ = 0;  // under it
  std::mutex mutex_;
  std::vector<MigratedDatabase> databases_;  // that were found
  std::size_t next_ = 0;
  std::size_t running_ = 1;  // visits, and threads that begin others: none of them may find this gone
  bool ended_ = false;       // no more are begun
  std::exception_ptr error_;
};

}  // namespace statehouse::detail
