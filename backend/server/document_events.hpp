#pragma once

#include <boost/asio/steady_timer.hpp>
#include <string>

#include "context_repository.hpp"
#include "http_message.hpp"
#include "statehouse/changes.hpp"

namespace statehouse::server {

/// A document as server-sent events: one with all of it at once, one for each change of it, and a comment line every 15
/// seconds, so that a client that is gone is noticed. Changes are merged while one is being sent.
class DocumentEvents final : public HttpStream {
 public:
  /// On a strand, which `executor` is. Hears of commits from now on.
  DocumentEvents(const asio::any_io_executor& executor, ContextRepository contexts, std::string document,
                 Changes changes);

  asio::awaitable<std::string> next() override;
  void stop() override;

 private:
  asio::awaitable<bool> wait();
  asio::awaitable<std::string> event();

  const ContextRepository contexts_;
  const std::string document_;
  Changes changes_;
  asio::steady_timer beat_;
  std::string sent_;
  bool begun_ = false;
  bool stopped_ = false;
};

}  // namespace statehouse::server
