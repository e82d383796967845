#include "state/database_threads.hpp"

#include "base/thread.hpp"

namespace statehouse::detail {

// Asio takes no locks that one thread does not need.
ThreadPool::ThreadPool(Unstarted, unsigned count)
    : context_(count == 1 ? 1 : BOOST_ASIO_CONCURRENCY_HINT_DEFAULT), work_(asio::make_work_guard(context_)) {}

/// What fails here has an object already, whose destructor ends the threads that were started.
ThreadPool::ThreadPool(unsigned count) : ThreadPool(Unstarted{}, count) {
  for (unsigned i = 1; i <= count; ++i)
    threads_.push_back(start_thread("database thread " + std::to_string(i) + " of " + std::to_string(count),
                                    [this] { context_.run(); }));
}

ThreadPool::~ThreadPool() {
  work_.reset();
  for (std::thread& thread : threads_) thread.join();
}

DatabaseThreads::DatabaseThreads(asio::any_io_executor injected, unsigned count) {
  if (!injected) injected = own_.emplace(count).get_executor();
  const auto released = std::make_shared<std::promise<void>>();
  released_ = released->get_future();
  target_ = {new asio::any_io_executor(std::move(injected)), [released](const asio::any_io_executor* executor) {
               delete executor;
               released->set_value();
             }};
}

DatabaseThreads::~DatabaseThreads() {
  target_.reset();
  released_.wait();
  own_.reset();
}

}  // namespace statehouse::detail
