#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/prefer.hpp>
#include <utility>

#pragma GCC visibility push(default)
namespace statehouse::detail {

namespace asio = boost::asio;

/// A coroutine that waits for something of ours: its handler, its executor, and its tie to the cancellation slot. It is
/// a local of the coroutine that waits, so waiting allocates nothing of its own. It stays put from the moment the
/// coroutine suspends until `resume` has been called, because the handler it holds owns the coroutine.
class Suspension {
 public:
  Suspension() = default;
  Suspension(const Suspension&) = delete;
  Suspension& operator=(const Suspension&) = delete;

  /// Keeps the handler, counts as outstanding work of its executor, and connects its cancellation slot.
  template <class Handler>
  void hold(Handler handler) {
    executor_ = asio::prefer(asio::any_io_executor(asio::get_associated_executor(handler)),
                             asio::execution::outstanding_work.tracked);
    handler_ = std::move(handler);
    // Only now: the erased handler has taken the slot of its inner one, and hands out another behind it.
    if (auto slot = asio::get_associated_cancellation_slot(handler_); slot.is_connected())
      link_ = &slot.template emplace<CancelLink>(*this);
  }

  /// Posts the handler to its executor, never runs it inline. Exactly once. From here on `*this` may be gone.
  void resume() noexcept;

 protected:
  virtual ~Suspension();
  /// The coroutine's slot was emitted; called on the coroutine's executor while it waits.
  virtual void on_cancel(asio::cancellation_type type) noexcept = 0;

 private:
  /// Lives in the cancellation slot, which may outlast the suspension and the other way round: each clears the other's
  /// pointer. Both ends are only touched on the coroutine's executor.
  struct CancelLink {
    explicit CancelLink(Suspension& suspension) noexcept : target(&suspension) {}
    CancelLink(const CancelLink&) = delete;
    CancelLink& operator=(const CancelLink&) = delete;
    ~CancelLink() {
      if (target != nullptr) target->link_ = nullptr;
    }
    void operator()(asio::cancellation_type type) noexcept {
      if (target != nullptr) target->on_cancel(type);
    }
    Suspension* target;
  };

  friend class ResumeList;

  asio::any_completion_handler<void()> handler_;
  asio::any_io_executor executor_;
  CancelLink* link_ = nullptr;
  Suspension* next_ = nullptr;  // in a ResumeList
};

/// Suspensions that end together: what has the same executor is resumed by one post, in the order it was added.
class ResumeList {
 public:
  ResumeList() = default;
  ResumeList(ResumeList&& other) noexcept : head_(std::exchange(other.head_, nullptr)), tail_(other.tail_) {}
  ResumeList& operator=(ResumeList&&) = delete;
  /// Destroys the handlers that were not run, and with them what they own.
  ~ResumeList();

  void add(Suspension& suspension) noexcept;
  /// Leaves the list empty. From here on the suspensions may be gone.
  void post() noexcept;

 private:
  struct Run;

  Suspension& pop() noexcept;
  /// Takes out what has the executor of the first.
  ResumeList split() noexcept;

  Suspension* head_ = nullptr;
  Suspension* tail_ = nullptr;  // valid while there is a head
};

/// `co_await suspend(suspension, start)`: suspends the coroutine, then calls `start()`, which arranges for `resume`.
template <class Start>
auto suspend(Suspension& suspension, Start& start) {
  return asio::async_initiate<const asio::deferred_t&, void()>(
      [](auto handler, Suspension* waiting, Start* begin) {
        waiting->hold(std::move(handler));
        (*begin)();
      },
      asio::deferred, &suspension, &start);
}

}  // namespace statehouse::detail
#pragma GCC visibility pop
