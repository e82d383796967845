#include "json_replies.hpp"

#include <boost/algorithm/hex.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iterator>

#include "http_error.hpp"
#include "statehouse/error.hpp"
#include "statehouse/health.hpp"
#include "statehouse/sqlite_version.hpp"
#include "statehouse/stats.hpp"
#include "statehouse/version.hpp"

namespace statehouse::server {

namespace json = boost::json;

namespace {

std::string json_string(std::string_view text) {
  return json::serialize(json::string_view(text));
}

/// Contexts are put in as they are, so that numbers and the order of keys survive.
std::string blocks_array(const BlockPage& page, bool with_document) {
  std::string text = "[";
  for (const StoredBlock& block : page.blocks) {
    if (text.size() > 1) text += ',';
    text += '{';
    if (with_document) text += "\"document\":" + json_string(block.document) + ',';
    text += "\"block\":" + json_string(block.block) + ",\"context\":" + block.context + '}';
  }
  return text += ']';
}

std::string next_cursor(const BlockPage& page) {
  if (!page.more) return "null";
  return json_string(to_cursor(page.blocks.back().document, page.blocks.back().block));
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

std::int64_t to_us(std::chrono::nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

json::object summary(const DatabaseStats& stats) {
  const auto oldest = stats.holders.empty() ? std::chrono::milliseconds(0) : stats.holders.front().held_for;
  return {{"name", stats.name},
          {"state", to_string(stats.state)},
          {"last_error", text_or_null(stats.last_error)},
          {"wal_bytes", stats.wal_bytes},
          {"queue_length", stats.writer.waiting + stats.readers.waiting},
          {"oldest_lease_ms", oldest.count()},
          {"schema_version", stats.schema_version ? json::value(*stats.schema_version) : json::value(nullptr)},
          {"vulnerable_sqlite", stats.vulnerable_sqlite}};
}

json::object to_json(const LaneStats& lane) {
  json::object errors;
  for (const ErrorCount& error : lane.errors) errors[error.code] = error.count;
  return {{"connections", lane.connections},
          {"in_use", lane.in_use},
          {"waiting", lane.waiting},
          {"completed", lane.completed},
          {"failed", lane.failed},
          {"errors", errors},
          {"slow", lane.slow},
          {"batches", lane.batches},
          {"compiled", lane.compiled},
          {"acquire_timeouts", lane.acquire_timeouts},
          {"cancelled", lane.cancelled},
          {"rejected", lane.rejected},
          {"rolled_back", lane.rolled_back},
          {"replaced", lane.replaced},
          {"wait_us", to_us(lane.wait_time())},
          {"run_us", to_us(lane.run_time())}};
}

json::object to_json(const Holder& holder) {
  return {{"role", holder.role == connection_role::writer ? "writer" : "reader"},
          {"verb", holder.verb},
          {"where", std::filesystem::path(holder.where).filename().string()},
          {"held_ms", holder.held_for.count()},
          {"running", holder.running}};
}

json::object to_json(const DatabaseHealth& database) {
  json::object check{{"name", database.name},
                     {"state", to_string(database.state)},
                     {"required", database.required},
                     {"reason", nullptr}};
  if (database.reason != health_reason::none) check["reason"] = to_string(database.reason);
  if (database.migration)
    check["migration"] = {{"version", database.migration->version},
                          {"index", database.migration->index},
                          {"total", database.migration->total}};
  return check;
}

HttpResponse probe_reply(const Health& health, bool well, std::string_view otherwise) {
  json::array checks;
  for (const DatabaseHealth& database : health.databases) checks.push_back(to_json(database));
  const std::string_view status = !well ? otherwise : health.degraded() ? "degraded" : "ok";
  json::object reply{{"status", status}, {"checks", std::move(checks)}};
  if (health.well > 0) reply["well"] = health.well;  // and not among the checks
  HttpResponse response{well ? 200U : 503U, json::serialize(reply)};
  if (!well) response.headers.emplace_back("Retry-After", "1");
  return response;
}

std::string_view why_not_ready(const Health& health) {
  if (health.stopping) return "stopping";
  for (const DatabaseHealth& database : health.databases)
    if (database.required && database.reason >= health_reason::failed) return "failing";
  return "starting";
}

HttpResponse unavailable(std::string_view code, std::string_view message) {
  HttpResponse response = error_response(503, code, message);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

HttpResponse document_reply(std::string_view document, const BlockPage& page) {
  return {200, "{\"document\":" + json_string(document) + ",\"blocks\":" + blocks_array(page, false) +
                   ",\"next\":" + next_cursor(page) + '}'};
}

HttpResponse search_reply(const BlockPage& page) {
  return {200, "{\"blocks\":" + blocks_array(page, true) + ",\"next\":" + next_cursor(page) + '}'};
}

std::string to_cursor(std::string_view document, std::string_view block) {
  std::string plain(document);
  plain += '\0';  // in neither of them
  plain += block;
  std::string cursor;
  boost::algorithm::hex_lower(plain, std::back_inserter(cursor));
  return cursor;
}

BlockKey from_cursor(std::string_view cursor) {
  std::string plain;
  try {
    boost::algorithm::unhex(cursor, std::back_inserter(plain));
  } catch (const boost::algorithm::hex_decode_error&) {
    plain.clear();
  }
  const std::size_t separator = plain.find('\0');
  if (separator == std::string::npos)
    throw HttpError(400, "bad_parameter", "'after' takes the 'next' of an earlier reply");
  return {plain.substr(0, separator), plain.substr(separator + 1)};
}

HttpResponse live_reply(const Health& health) {
  return probe_reply(health, health.live(), "failing");
}

HttpResponse ready_reply(const Health& health) {
  return probe_reply(health, health.ready(), why_not_ready(health));
}

HttpResponse started_reply(const Health& health) {
  return probe_reply(health, health.started(), health.stopping ? "stopping" : "starting");
}

HttpResponse stats_reply(const std::vector<DatabaseStats>& databases) {
  json::array entries;
  for (const DatabaseStats& database : databases) {
    json::object entry = summary(database);
    entry["file_bytes"] = database.file_bytes;
    entry["writer"] = to_json(database.writer);
    entry["readers"] = to_json(database.readers);
    json::array& holders = entry["holders"].emplace_array();
    for (const Holder& holder : database.holders) holders.push_back(to_json(holder));
    entries.push_back(std::move(entry));
  }
  const json::object reply{{"version", STATEHOUSE_VERSION}, {"sqlite", sqlite_version().text}, {"databases", entries}};
  return {200, json::serialize(reply)};
}

HttpResponse overloaded_reply(std::string_view message) {
  return unavailable("overloaded", message);
}

HttpResponse failure_reply(const Error& error) {
  const auto& code = error.code();
  if (code == condition::closed) return unavailable("shutting_down", "the server is shutting down");
  if (code == errc::not_initialised) return unavailable("starting", "the server is starting, try again later");
  if (code == errc::unavailable) return overloaded_reply("the cluster has no leader now, try again");
  if (code == condition::timeout || code == condition::busy || code == errc::queue_full)
    return overloaded_reply("the database did not answer in time, try again later");
  if (code == errc::outcome_unknown)
    // Not for clients that repeat by themselves: whether to do so is what the caller has to decide.
    return error_response(503, "outcome_unknown",
                          "it is not known whether the change was made: look, or make it again");
  if (code == condition::constraint) return error_response(409, "conflict", "the change contradicts what is stored");
  return error_response(500, "internal", "the request failed, the server's log says why");
}

}  // namespace statehouse::server
