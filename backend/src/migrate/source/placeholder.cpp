#include "migrate/source/placeholder.hpp"

#include <array>

#include "migrate/source/checksum.hpp"
#include "text/sql_scanner.hpp"

namespace statehouse::detail {
namespace {

constexpr std::array<std::string_view, 4> made_by_tools{
    "", "-- Add migration script here\n", "-- Add up migration script here\n", "-- Add down migration script here\n"};

/// Lines of comments to look at; who has more writes prose.
constexpr int most_lines = 200;

bool is(std::string_view text, const Checksum& recorded, std::u32string_view ignored) {
  return checksum_of(text, ignored) == recorded || !explain_difference(text, recorded, ignored).empty();
}

}  // namespace

bool was_placeholder(std::string_view content, const Checksum& recorded, std::u32string_view ignored) {
  for (const std::string_view text : made_by_tools)
    if (is(text, recorded, ignored)) return true;
  const auto first = SqlScanner(content).next_statement();
  const std::string_view head = content.substr(0, first ? first->offset : content.size());
  auto end = head.find('\n');
  for (int lines = 0; end != std::string_view::npos && lines < most_lines; ++lines, end = head.find('\n', end + 1))
    if (is(head.substr(0, end + 1), recorded, ignored)) return true;
  return false;
}

}  // namespace statehouse::detail
