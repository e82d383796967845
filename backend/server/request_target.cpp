#include "request_target.hpp"

#include <boost/locale/utf.hpp>
#include <boost/url/params_view.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/segments_view.hpp>
#include <boost/url/url_view.hpp>

#include "http_error.hpp"

namespace statehouse::server {

namespace {

bool is_text(std::string_view bytes) {
  using utf8 = boost::locale::utf::utf_traits<char>;
  for (auto at = bytes.begin(); at != bytes.end();) {
    const auto code_point = utf8::decode(at, bytes.end());
    if (code_point == 0 || !boost::locale::utf::is_valid_codepoint(code_point)) return false;
  }
  return true;
}

std::string checked(std::string decoded) {
  if (!is_text(decoded)) throw HttpError(400, "bad_target", "the path or query decodes to a NUL byte or invalid UTF-8");
  return decoded;
}

}  // namespace

std::optional<std::string> RequestTarget::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return std::nullopt;
}

RequestTarget parse_target(std::string_view target) {
  // A client may send "http://host/path" to any server, not only to a proxy; neither form has a fragment (RFC 9112,
  // section 3.2), and Boost.URL 1.83 reads beyond the end of the parameters before one.
  const auto url =
      target.starts_with('/') ? boost::urls::parse_origin_form(target) : boost::urls::parse_absolute_uri(target);
  if (!url) throw HttpError(400, "bad_target", "the path or query is malformed, check its percent-encoding");

  RequestTarget result;
  for (const auto& segment : url->segments()) result.segments.push_back(checked(segment));
  for (const auto& parameter : url->params())
    result.parameters.emplace_back(checked(parameter.key), checked(parameter.value));
  return result;
}

}  // namespace statehouse::server
