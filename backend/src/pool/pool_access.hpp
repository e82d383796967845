#pragma once

#include <utility>

#include "statehouse/pool.hpp"

namespace statehouse::detail {

/// The library's door to what Pool, Transaction and the leases are made of.
struct PoolAccess {
  template <class Handle, class State>
  static Handle make(State state) {
    return Handle(std::move(state));
  }
};

}  // namespace statehouse::detail
