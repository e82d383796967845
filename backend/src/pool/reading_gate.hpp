#pragma once

#include <optional>

#include "lane/lane.hpp"
#include "pool/scheduled_backups.hpp"

namespace statehouse::detail {

/// All who read in a pool: the lane of the readers, where there is one, and a backup, where these are scheduled, which
/// would not be over in any time for which they can be held back.
class ReadingGate final : public ReaderGate {
 public:
  ReadingGate(std::optional<Lane>& readers, const ScheduledBackups* backups) noexcept
      : readers_(readers), backups_(backups) {}

  bool hold_back(TimeLimit limit) override {
    if (backup_reads()) return false;
    return (!readers_ || readers_->hold_back(limit)) && !backup_reads();  // one may have begun meanwhile
  }
  void open_again() override {
    if (readers_) readers_->open_again();
  }
  std::vector<Holder> reading() const override {
    std::vector<Holder> all = readers_ ? readers_->reading() : std::vector<Holder>();
    if (auto backup = backup_holder(); backup && backup->running) all.push_back(std::move(*backup));
    return all;
  }

 private:
  bool backup_reads() const {
    const auto backup = backup_holder();
    return backup && backup->running;
  }

  std::optional<Holder> backup_holder() const { return backups_ != nullptr ? backups_->holder() : std::nullopt; }

  std::optional<Lane>& readers_;
  const ScheduledBackups* const backups_;
};

}  // namespace statehouse::detail
