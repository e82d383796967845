#include "routes.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/this_coro.hpp>
#include <charconv>
#include <exception>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "document_events.hpp"
#include "http_error.hpp"
#include "json_replies.hpp"
#include "json_syntax.hpp"
#include "request_target.hpp"
#include "statehouse/app_state.hpp"
#include "statehouse/metrics.hpp"

namespace statehouse::server {

namespace {

constexpr std::size_t max_id_bytes = 256;
constexpr std::size_t default_limit = 50;
constexpr std::size_t max_limit = 200;
constexpr std::size_t max_pattern_bytes = 1024;

HttpResponse no_such(std::string_view what) {
  return error_response(404, "not_found", "no such " + std::string(what));
}

std::size_t limit_of(const RequestTarget& target) {
  const auto text = target.parameter("limit");
  if (!text) return default_limit;
  std::size_t limit = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, failure] = std::from_chars(text->data(), end, limit);
  if (failure != std::errc() || rest != end || limit < 1 || limit > max_limit)
    throw HttpError(400, "bad_parameter", "'limit' takes a number from 1 to 200");
  return limit;
}

}  // namespace

/// One request on its way through a handler.
struct Routes::Call {
  RequestTarget target;
  ContextRepository contexts;
  BlockKey key;  // what the path names
  std::string& body;
};

/// A path is matched segment by segment; `{d}` and `{b}` stand for the ids of a document and a block.
struct Routes::Route {
  std::string_view method;
  std::vector<std::string_view> path;
  asio::awaitable<HttpResponse> (Routes::*handler)(Call&) const;

  bool matches(const std::vector<std::string>& segments) const {
    if (path.size() != segments.size()) return false;
    for (std::size_t i = 0; i < path.size(); ++i)
      if (!path[i].starts_with('{') && path[i] != segments[i]) return false;
    return true;
  }

  BlockKey key_of(const std::vector<std::string>& segments) const {
    BlockKey key;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (!path[i].starts_with('{')) continue;
      if (segments[i].empty() || segments[i].size() > max_id_bytes)
        throw HttpError(400, "bad_id", "the id of a document or block has 1 to 256 bytes");
      (path[i] == "{d}" ? key.document : key.block) = segments[i];
    }
    return key;
  }
};

const Routes::Route Routes::table[] = {
    {"GET", {"documents", "{d}", "blocks", "{b}"}, &Routes::get_block},
    {"PUT", {"documents", "{d}", "blocks", "{b}"}, &Routes::put_block},
    {"DELETE", {"documents", "{d}", "blocks", "{b}"}, &Routes::delete_block},
    {"GET", {"documents", "{d}"}, &Routes::get_document},
    {"GET", {"documents", "{d}", "events"}, &Routes::get_events},
    {"DELETE", {"documents", "{d}"}, &Routes::delete_document},
    {"GET", {"search"}, &Routes::search},
    {"GET", {"livez"}, &Routes::live},
    {"GET", {"readyz"}, &Routes::ready},
    {"GET", {"healthz"}, &Routes::ready},  // its name until 0.2
    {"GET", {"startupz"}, &Routes::started},
    {"GET", {"metrics"}, &Routes::metrics},
    {"GET", {"stats"}, &Routes::stats},
};

asio::awaitable<HttpResponse> Routes::handle(HttpRequest& request) const {
  try {
    co_return co_await dispatch(request);
  } catch (const HttpError& error) {
    co_return error_response(error.status(), error.code(), error.what());
  } catch (const InvalidPattern& error) {
    co_return error_response(400, "bad_pattern", error.what());
  } catch (const NoSuchDatabase&) {
    co_return no_such("tenant");
  } catch (const TooManySearches& error) {
    co_return overloaded_reply(error.what());
  } catch (const Error& error) {
    HttpResponse response = failure_reply(error);
    spdlog::log(response.status == 500 ? spdlog::level::err : spdlog::level::warn, "{} answered {}: {}", request.method,
                response.status, error.what());
    co_return response;
  } catch (const std::exception& error) {
    spdlog::error("{} failed: {}", request.method, error.what());
    co_return error_response(500, "internal", "the request failed, the server's log says why");
  }
}

asio::awaitable<HttpResponse> Routes::dispatch(HttpRequest& request) const {
  RequestTarget target = parse_target(request.target);
  ContextRepository contexts = contexts_of(target);
  Call call{std::move(target), std::move(contexts), {}, request.body};
  std::string allowed;
  for (const Route& route : table) {
    if (!route.matches(call.target.segments)) continue;
    if (route.method == request.method) {
      call.key = route.key_of(call.target.segments);
      co_return co_await (this->*route.handler)(call);
    }
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  if (allowed.empty()) co_return no_such("path");
  HttpResponse response = error_response(405, "method_not_allowed", "this path takes " + allowed);
  response.headers.emplace_back("Allow", allowed);
  co_return response;
}

/// Takes `/tenants/{tenant}` off a path to a tenant's documents; on any other there is no such path.
ContextRepository Routes::contexts_of(RequestTarget& target) const {
  auto& segments = target.segments;
  const bool of_tenant = tenants_ && segments.size() > 2 && segments[0] == "tenants" &&
                         (segments[2] == "documents" || segments[2] == "search");
  if (!of_tenant) return ContextRepository(state_, searches_);
  const std::string tenant = segments[1];
  segments.erase(segments.begin(), segments.begin() + 2);
  try {
    return ContextRepository(state_, searches_, tenant);
  } catch (const Error&) {
    throw HttpError(400, "bad_id", "a tenant has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit");
  }
}

asio::awaitable<HttpResponse> Routes::put_block(Call& call) const {
  if (const auto wrong = json_syntax_error(call.body))
    throw HttpError(400, "bad_json", "the body is no JSON: " + *wrong);
  const bool created = co_await call.contexts.put(call.key, call.body);
  co_return HttpResponse{created ? 201u : 204u};
}

asio::awaitable<HttpResponse> Routes::get_block(Call& call) const {
  auto context = co_await call.contexts.get(call.key);
  if (!context) co_return no_such("block");
  co_return HttpResponse{200, std::move(*context)};
}

asio::awaitable<HttpResponse> Routes::delete_block(Call& call) const {
  const bool existed = co_await call.contexts.erase(call.key);
  if (!existed) co_return no_such("block");
  co_return HttpResponse{204};
}

asio::awaitable<HttpResponse> Routes::get_document(Call& call) const {
  BlockKey start = call.key;
  if (const auto after = call.target.parameter("after")) start.block = from_cursor(*after).block;
  const BlockPage page = co_await call.contexts.list(start);
  if (page.blocks.empty() && start.block.empty()) co_return no_such("document");
  co_return document_reply(call.key.document, page);
}

asio::awaitable<HttpResponse> Routes::get_events(Call& call) const {
  Changes changes = co_await call.contexts.changes();
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  HttpResponse response{200};
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = std::make_shared<DocumentEvents>(executor, call.contexts, call.key.document, std::move(changes));
  co_return response;
}

asio::awaitable<HttpResponse> Routes::delete_document(Call& call) const {
  const std::int64_t count = co_await call.contexts.erase_document(call.key.document);
  if (count == 0) co_return no_such("document");
  co_return HttpResponse{200, "{\"deleted\":" + std::to_string(count) + '}'};
}

asio::awaitable<HttpResponse> Routes::search(Call& call) const {
  const auto pattern = call.target.parameter("q");
  if (!pattern) throw HttpError(400, "bad_parameter", "'q' is required: a regular expression");
  if (pattern->size() > max_pattern_bytes)
    throw HttpError(400, "bad_pattern", "the pattern is longer than " + std::to_string(max_pattern_bytes) + " bytes");
  const std::size_t limit = limit_of(call.target);
  BlockKey start;
  if (const auto after = call.target.parameter("after")) start = from_cursor(*after);
  const BlockPage page = co_await call.contexts.search(*pattern, start, limit);
  co_return search_reply(page);
}

asio::awaitable<HttpResponse> Routes::live(Call&) const {
  co_return live_reply(state_.db_instances.health());
}

asio::awaitable<HttpResponse> Routes::ready(Call&) const {
  co_return ready_reply(state_.db_instances.health());
}

asio::awaitable<HttpResponse> Routes::started(Call&) const {
  co_return started_reply(state_.db_instances.health());
}

asio::awaitable<HttpResponse> Routes::metrics(Call&) const {
  HttpResponse response{200, prometheus_text(state_.db_instances.stats_summary())};
  response.content_type = prometheus_content_type;
  co_return response;
}

asio::awaitable<HttpResponse> Routes::stats(Call&) const {
  co_return stats_reply(state_.db_instances.stats());
}

}  // namespace statehouse::server
