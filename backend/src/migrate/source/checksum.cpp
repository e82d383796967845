#include "migrate/source/checksum.hpp"

#include <openssl/evp.h>

#include <initializer_list>
#include <utility>
#include <vector>

#include "text/trim.hpp"

namespace statehouse {

std::string to_hex(const Checksum& checksum) {
  return detail::to_hex(std::span(checksum));
}

namespace detail {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::string_view blanks = " \t\r\n\v\f";

std::string with_line_ends(std::string_view text, std::string_view line_end) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\n') {
      result += line_end;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string without_blanks_at_line_ends(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n') {
      const bool crlf = result.ends_with('\r');
      if (crlf) result.pop_back();
      while (result.ends_with(' ') || result.ends_with('\t')) result.pop_back();
      if (crlf) result += '\r';
    }
    result += c;
  }
  return result;
}

std::string without_blanks_at_end(std::string text) {
  text.erase(text.find_last_not_of(blanks) + 1);
  return text;
}

struct Variant {
  std::string content;
  std::string difference;
};

/// The first is the content itself, the others differ from it.
std::vector<Variant> line_end_variants(std::string_view content) {
  std::vector<Variant> result{{std::string(content), {}}};
  for (const auto& [line_end, name] : {std::pair("\n", "LF"), std::pair("\r\n", "CRLF")}) {
    std::string converted = with_line_ends(content, line_end);
    if (converted != content) result.push_back({std::move(converted), std::string("line ends (it had ") + name + ")"});
  }
  return result;
}

std::vector<Variant> blank_variants(std::string_view content) {
  const std::string line_end = content.find("\r\n") != std::string_view::npos ? "\r\n" : "\n";
  const std::string inner = without_blanks_at_line_ends(content);
  std::vector<Variant> result{{std::string(content), {}}};
  for (const std::string& text : {std::string(content), inner}) {
    const std::string bare = without_blanks_at_end(text);
    for (std::string changed : {text, bare, bare + line_end, bare + line_end + line_end}) {
      if (changed != content) result.push_back({std::move(changed), "blanks at line ends or at the end of the file"});
    }
  }
  return result;
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string result;
  for (const auto part : parts) {
    if (part.empty()) continue;
    if (!result.empty()) result += " and ";
    result += part;
  }
  return result;
}

}  // namespace

Checksum checksum_of(std::string_view content, std::u32string_view ignored) {
  if (!ignored.empty()) return checksum_of(without_characters(content, ignored));
  Checksum checksum;
  unsigned int size = 0;
  auto* const out = reinterpret_cast<unsigned char*>(checksum.data());
  if (EVP_Digest(content.data(), content.size(), out, &size, EVP_sha384(), nullptr) != 1 || size != checksum.size())
    throw Error(errc::migration_source, "libcrypto does not offer SHA-384: check the OpenSSL configuration");
  return checksum;
}

std::string to_hex(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  for (const std::byte byte : bytes) {
    result += digits[std::to_integer<std::size_t>(byte >> 4)];
    result += digits[std::to_integer<std::size_t>(byte & std::byte{0x0F})];
  }
  return result;
}

std::string explain_difference(std::string_view content, const Checksum& recorded, std::u32string_view ignored) {
  if (!ignored.empty() && checksum_of(content) == recorded)
    return "characters that are ignored now (its checksum was recorded with them)";
  const bool has_mark = content.starts_with(byte_order_mark);
  const std::string_view body = has_mark ? content.substr(byte_order_mark.size()) : content;
  const std::string_view mark_difference =
      has_mark ? "a byte order mark (it had none)" : "a byte order mark (it had one)";
  for (const bool toggle_mark : {false, true}) {
    const std::string mark(has_mark != toggle_mark ? byte_order_mark : "");
    for (const Variant& lines : line_end_variants(body)) {
      for (const Variant& variant : blank_variants(lines.content)) {
        if (checksum_of(mark + variant.content, ignored) != recorded) continue;
        return joined({toggle_mark ? mark_difference : "", lines.difference, variant.difference});
      }
    }
  }
  return {};
}

}  // namespace detail
}  // namespace statehouse
