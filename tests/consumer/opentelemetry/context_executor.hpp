#pragma once

#include <opentelemetry/context/runtime_context.h>

#include <boost/asio/any_io_executor.hpp>
#include <utility>

namespace traced {

namespace asio = boost::asio;

/// Runs what it is given with a context of OpenTelemetry as the current one. A request that is spawned on it has its
/// context at each moment, whatever else runs on the thread while it waits; a `Scope` in a coroutine would be that of
/// the others meanwhile.
template <class Inner>
class ContextExecutor {
 public:
  ContextExecutor(Inner inner, opentelemetry::context::Context context) noexcept
      : inner_(std::move(inner)), context_(std::move(context)) {}

  template <class Function>
  void execute(Function function) const {
    inner_.execute([context = context_, function = std::move(function)]() mutable {
      const auto token = opentelemetry::context::RuntimeContext::Attach(context);
      function();
    });
  }

  // What an executor of Asio can be asked is the inner one's.
  template <class Property>
  requires asio::can_query_v<const Inner&, Property>
  decltype(auto) query(const Property& property) const { return asio::query(inner_, property); }
  template <class Property>
  requires asio::can_require_v<const Inner&, Property>
  auto require(const Property& property) const { return with(asio::require(inner_, property)); }
  template <class Property>
  requires asio::can_prefer_v<const Inner&, Property>
  auto prefer(const Property& property) const { return with(asio::prefer(inner_, property)); }

  friend bool operator==(const ContextExecutor& a, const ContextExecutor& b) noexcept { return a.inner_ == b.inner_; }
  friend bool operator!=(const ContextExecutor& a, const ContextExecutor& b) noexcept { return !(a == b); }

 private:
  template <class Other>
  ContextExecutor<Other> with(Other other) const {
    return {std::move(other), context_};
  }

  Inner inner_;
  opentelemetry::context::Context context_;
};

}  // namespace traced
