#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "context_repository.hpp"
#include "http_message.hpp"

namespace statehouse {
struct DatabaseStats;
struct Health;
class Error;
}  // namespace statehouse

namespace statehouse::server {

/// `{"document": ..., "blocks": [{"block": ..., "context": ...}], "next": ...}`
HttpResponse document_reply(std::string_view document, const BlockPage& page);
/// `{"blocks": [{"document": ..., "block": ..., "context": ...}], "next": ...}`
HttpResponse search_reply(const BlockPage& page);

/// The value of `next`, which a client gives back as `after`. It needs no percent-encoding.
std::string to_cursor(std::string_view document, std::string_view block);
/// Throws HttpError 400.
BlockKey from_cursor(std::string_view cursor);

/// The three probes: 200 or, to be asked again, 503; `{"status": ..., "checks": [{"name", "state", "required",
/// "reason"}]}`, with `"migration": {"version", "index", "total"}` while one runs. Names and codes only.
HttpResponse live_reply(const Health& health);
HttpResponse ready_reply(const Health& health);
HttpResponse started_reply(const Health& health);
HttpResponse stats_reply(const std::vector<DatabaseStats>& databases);

/// 503: the client may try again.
HttpResponse overloaded_reply(std::string_view message);

/// What a client is told of a failed database operation: no path, no SQL, no value.
HttpResponse failure_reply(const Error& error);

}  // namespace statehouse::server
