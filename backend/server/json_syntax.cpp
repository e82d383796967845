#include "json_syntax.hpp"

#include <boost/json/basic_parser_impl.hpp>

namespace statehouse::server {

namespace {

namespace json = boost::json;
using boost::system::error_code;

struct IgnoreValues {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t, error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t, error_code&) { return true; }
  bool on_key_part(json::string_view, std::size_t, error_code&) { return true; }
  bool on_key(json::string_view, std::size_t, error_code&) { return true; }
  bool on_string_part(json::string_view, std::size_t, error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, error_code&) { return true; }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, error_code&) { return true; }
  bool on_double(double, json::string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }
};

}  // namespace

std::optional<std::string> json_syntax_error(std::string_view text) {
  json::parse_options options;
  options.max_depth = 100;
  options.numbers = json::number_precision::none;
  json::basic_parser<IgnoreValues> parser(options);
  error_code failure;
  const std::size_t valid = parser.write_some(false, text.data(), text.size(), failure);
  if (!failure && valid < text.size()) failure = json::error::extra_data;
  if (!failure) return std::nullopt;
  return failure.message() + " at byte " + std::to_string(valid + 1);
}

bool is_json_number(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '-' || (text[first] >= '0' && text[first] <= '9'));
}

}  // namespace statehouse::server
