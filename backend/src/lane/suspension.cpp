#include "statehouse/detail/suspension.hpp"

#include <boost/asio/post.hpp>
#include <chrono>

namespace statehouse::detail {
namespace {

/// How long one post resumes coroutines before it lets the executor do something else.
constexpr auto resume_turn = std::chrono::microseconds(100);

}  // namespace

Suspension::~Suspension() {
  if (link_ != nullptr) link_->target = nullptr;
}

void Suspension::resume() noexcept {
  ResumeList list;
  list.add(*this);
  list.post();
}

/// What is posted. A handler that throws leaves through the executor, as Asio wants it; the others are posted again.
struct ResumeList::Run {
  ResumeList list;

  // The lambda that is posted has no associated executor: a handler runs as part of it and is not dispatched again.
  void operator()() {
    struct Rest {
      ~Rest() { list.post(); }
      ResumeList& list;
    } rest{list};
    const auto end = std::chrono::steady_clock::now() + resume_turn;
    do {
      Suspension& suspension = list.pop();
      const auto executor = std::move(suspension.executor_);  // its work lasts until the handler has run
      auto handler = std::move(suspension.handler_);
      std::move(handler)();
    } while (list.head_ != nullptr && std::chrono::steady_clock::now() < end);
  }
};

ResumeList::~ResumeList() {
  while (head_ != nullptr) {
    Suspension& suspension = pop();
    const auto executor = std::move(suspension.executor_);
    const auto handler = std::move(suspension.handler_);
  }
}

void ResumeList::add(Suspension& suspension) noexcept {
  (head_ == nullptr ? head_ : tail_->next_) = &suspension;
  tail_ = &suspension;
}

Suspension& ResumeList::pop() noexcept {
  Suspension& first = *head_;
  head_ = std::exchange(first.next_, nullptr);
  return first;
}

ResumeList ResumeList::split() noexcept {
  ResumeList same;
  ResumeList others;
  const asio::any_io_executor executor = head_->executor_;
  while (head_ != nullptr) {
    Suspension& suspension = pop();
    (suspension.executor_ == executor ? same : others).add(suspension);
  }
  std::swap(head_, others.head_);
  std::swap(tail_, others.tail_);
  return same;
}

void ResumeList::post() noexcept {
  while (head_ != nullptr) {
    const auto executor = head_->executor_;
    asio::post(executor, Run{split()});
  }
}

}  // namespace statehouse::detail
