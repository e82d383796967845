#include "statehouse/changes.hpp"

#include <new>
#include <utility>

#include "pool/chores.hpp"
#include "pool/pool_core.hpp"
#include "statehouse/pool.hpp"

namespace statehouse {
namespace {

asio::awaitable<std::optional<Change>> next_of(std::shared_ptr<detail::ChangeListener> listener) {
  if (listener == nullptr) throw Error(errc::invalid_handle, "next on a Changes that was moved from");
  detail::NextChange next(std::move(listener));
  auto start = [&] { next.start(); };
  co_await detail::suspend(next, start);
  co_return next.take();
}

/// What waits on it ends.
void end(std::shared_ptr<detail::ChangeListener>& listener) noexcept {
  if (listener == nullptr) return;
  if (listener->forked()) {
    static_cast<void>(new (std::nothrow) std::shared_ptr<detail::ChangeListener>(std::move(listener)));
    return;
  }
  detail::ResumeList resumed;
  listener->end(resumed);
  resumed.post();
}

}  // namespace

Changes::Changes(std::shared_ptr<detail::ChangeListener> listener) noexcept : listener_(std::move(listener)) {}

Changes::~Changes() {
  end(listener_);
}

Changes& Changes::operator=(Changes&& other) noexcept {
  if (this == &other) return *this;
  end(listener_);
  listener_ = std::move(other.listener_);
  return *this;
}

asio::awaitable<std::optional<Change>> Changes::next() & {
  return next_of(listener_);
}

Changes Pool::changes(std::vector<std::string> tables) const {
  return Changes(core().listen(std::move(tables)));
}

namespace detail {

std::shared_ptr<ChangeListener> PoolCore::listen(std::vector<std::string> tables) {
  if (context_.forked()) throw Error(errc::forked_process, "called in a forked child: make a new AppState there");
  if (in_cluster(*config_.options))
    throw Error(errc::not_supported, "changes of a database of a cluster are not told: its other clients commit, too",
                {config_.name, {}});
  auto listener = std::make_shared<ChangeListener>(changes_, shared_from_this(), config_.name, std::move(tables));
  {
    std::lock_guard lock(mutex_);
    if (closing_) {
      ResumeList nobody;
      listener->end(nobody);
    } else {
      changes_.add(*listener);
    }
  }
  wake();  // commits of others are looked for from now on
  return listener;
}

/// Once a second while somebody listens.
void PoolCore::look_for_others() {
  if (!changes_.wanted() || config_.options->in_memory) return;
  Lane& lane = config_.options->read_only && readers_ ? *readers_ : writer_;
  const auto look = [](Session& session) { session.look_for_others(); };
  if (!lane.any_open() || missed_look_.exchange(false)) {  // all were in use a second ago: it waits for its turn
    if (look_chore_.expired()) look_chore_ = queue_chore(lane, config_.executor, operation_verb::checkpoint, look);
    return;
  }
  config_.executor.post([self = shared_from_this(), &lane, look] { self->missed_look_ = !lane.look_at_idle(look); });
}

}  // namespace detail
}  // namespace statehouse
