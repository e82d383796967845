#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

namespace statehouse::detail {

namespace asio = boost::asio;

/// Where SQLite runs: a cheap handle to the database threads, or to the executor that was injected in their place.
///
/// Who is resumed by what a posted function did may destroy the AppState while the posting thread is still inside
/// Asio. So a post keeps the threads until it has returned, and once the function is queued it touches nothing that
/// belongs to its caller, not even this handle: no mutex has to be held for that.
class DatabaseExecutor {
 public:
  using Target = std::shared_ptr<const asio::any_io_executor>;

  /// Of no threads: drops what is posted.
  DatabaseExecutor() = default;
  explicit DatabaseExecutor(const Target& target) noexcept : target_(target) {}

  /// Never runs `function` inline. False when the threads are over: the function is dropped.
  template <class Function>
  bool post(Function&& function) const {
    const Target target = hold();
    if (target == nullptr) return false;
    asio::post(*target, std::forward<Function>(function));
    return true;
  }

  /// The executor itself; whoever owns the threads waits until this is let go. Null when they are over.
  Target hold() const noexcept { return target_.lock(); }

 private:
  std::weak_ptr<const asio::any_io_executor> target_;
};

}  // namespace statehouse::detail
