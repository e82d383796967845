#pragma once

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "window.hpp"

namespace statehouse::bench {

/// Runs each worker on a thread of its own, `worker.run(load, index, window)`, and adds up its `tally` and `completed`.
template <class Worker>
Measurement run_on_threads(const Load& load, const std::vector<std::unique_ptr<Worker>>& workers) {
  Window window(load);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < workers.size(); ++i) threads.emplace_back([&, i] { workers[i]->run(load, i, window); });
  }
  Measurement result;
  window.finish(result);
  for (const auto& worker : workers) {
    result.tally.add(worker->tally);
    result.per_worker.push_back(worker->completed);
  }
  return result;
}

}  // namespace statehouse::bench
