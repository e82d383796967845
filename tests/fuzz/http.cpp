// The example backend: targets, bodies, cursors, and what is made of them in an answer. The input is a target, a
// newline and a body.

#include <boost/json/parse.hpp>

#include <string>

#include "fuzz.hpp"
#include "http_error.hpp"
#include "json_replies.hpp"
#include "json_syntax.hpp"
#include "request_target.hpp"
#include "text/ascii.hpp"
#include "text/unicode.hpp"

using namespace statehouse;
using fuzz::require;

namespace {

template <class Read>
auto read(Read&& how) -> std::optional<decltype(how())> {
  try {
    return how();
  } catch (const server::HttpError& error) {
    require(error.status() == 400, "the client is told that it is his fault", error.what());
    return std::nullopt;
  }
}

std::string encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    result += {'%', digits[byte >> 4], digits[byte & 15]};
  }
  return result;
}

void check_text(const std::string& text) {
  require(!detail::find_invalid_utf8(text) && text.find('\0') == std::string::npos, "decoded text is text", text);
}

void check_target(const server::RequestTarget& target) {
  std::string again;
  bool empty_segment = false;  // which a path does not always show
  for (const std::string& segment : target.segments) {
    check_text(segment);
    again += '/' + encoded(segment);
    empty_segment = empty_segment || segment.empty();
  }
  if (again.empty()) again = "/";
  char divider = '?';
  for (const auto& [key, value] : target.parameters) {
    check_text(key);
    check_text(value);
    again += divider + encoded(key) + '=' + encoded(value);
    divider = '&';
    require(target.parameter(key).has_value(), "a parameter is found by its name", key);
  }
  if (empty_segment) return;
  const auto same = server::parse_target(again);
  require(same.parameters == target.parameters, "parameters written again are the same", again);
  require(same.segments == target.segments, "a path written again is the same", again);
}

std::optional<boost::json::value> parsed(std::string_view text, std::size_t depth, boost::system::error_code& error) {
  boost::json::parse_options options;
  options.max_depth = depth;
  auto value = boost::json::parse(text, error, {}, options);
  if (error) return std::nullopt;
  return value;
}

void check_body(const std::string& body) {
  boost::system::error_code error;
  const auto value = parsed(body, 100, error);
  // A number that no double can hold is JSON all the same.
  const bool valid = value || error == boost::json::error::exponent_overflow;
  const auto wrong = server::json_syntax_error(body);
  require(valid == !wrong, "a body is JSON when it can be parsed", wrong.value_or(error.message()));
  if (value) require(server::is_json_number(body) == value->is_number(), "a number is known as one", body);
}

void check_reply(const std::string& document, const std::string& block, const std::string& body) {
  if (server::json_syntax_error(body)) return;
  const server::BlockPage page{{{document, block, body}}, true};
  for (const auto& reply : {server::document_reply(document, page), server::search_reply(page)}) {
    boost::system::error_code error;
    parsed(reply.body, 110, error);
    require(!error || error == boost::json::error::exponent_overflow, "an answer is JSON", reply.body);
  }
}

void check_cursor(const std::string& document, const std::string& block) {
  const auto key = server::from_cursor(server::to_cursor(document, block));
  require(key.document == document && key.block == block, "a cursor leads back");
}

void check_any_cursor(std::string_view text) {
  const auto key = read([&] { return server::from_cursor(text); });
  if (key) require(detail::same_ascii(server::to_cursor(key->document, key->block), text), "a cursor is one key", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [line, rest] = fuzz::split(fuzz::text_of(data, size), '\n');
  const std::string body(rest);
  check_body(body);
  check_any_cursor(line);
  const auto target = read([&] { return server::parse_target(line); });
  if (!target) return 0;
  check_target(*target);
  if (target->segments.size() < 2) return 0;
  check_reply(target->segments[0], target->segments[1], body);
  check_cursor(target->segments[0], target->segments[1]);
  return 0;
}
