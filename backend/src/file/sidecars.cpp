#include "file/sidecars.hpp"

#include <algorithm>

namespace statehouse::detail {

Sidecars::Sidecars(std::filesystem::path file, bool indexed) {
  sidecars_.push_back({file.string() + "-wal", std::nullopt});
  if (indexed) sidecars_.push_back({file.string() + "-shm", std::nullopt});
}

void Sidecars::add() noexcept {
  std::lock_guard lock(mutex_);
  ++connections_;
}

void Sidecars::remove() noexcept {
  std::lock_guard lock(mutex_);
  if (--connections_ > 0) return;
  for (Sidecar& sidecar : sidecars_) sidecar.identity.reset();
}

void Sidecars::note() noexcept {
  std::lock_guard lock(mutex_);
  for (Sidecar& sidecar : sidecars_)
    if (!sidecar.identity) sidecar.identity = identify(sidecar.path);
}

std::optional<std::string> Sidecars::lost() const {
  std::lock_guard lock(mutex_);
  const auto gone = std::ranges::find_if(
      sidecars_, [](const Sidecar& sidecar) { return sidecar.identity && identify(sidecar.path) != sidecar.identity; });
  return gone == sidecars_.end() ? std::nullopt : std::optional(gone->path.filename().string());
}

}  // namespace statehouse::detail
