#include "output.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "errors.hpp"
#include "utf8.hpp"
#include "wrap.hpp"

namespace statehouse::cli {
namespace {

bool terminal_with_colour() {
  const auto variable = [](const char* name) -> std::string_view {
    const char* const value = std::getenv(name);
    return value != nullptr ? value : "";
  };
  return ::isatty(STDOUT_FILENO) == 1 && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

std::string paint(std::string text, style look, bool colour) {
  if (!colour || look == style::plain || text.empty()) return text;
  constexpr const char* codes[] = {"", "32", "33", "31", "2"};
  return std::string("\x1b[") + codes[static_cast<int>(look)] + 'm' + text + "\x1b[0m";
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown = to_valid_utf8(text);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto byte = static_cast<unsigned char>(shown[i]);
    if ((byte < 0x20 && byte != '\n') || byte == 0x7f) shown[i] = '?';
    // U+0080 to U+009F control terminals as well
    if (byte == 0xC2 && static_cast<unsigned char>(shown[i + 1]) < 0xA0) shown.replace(i, 2, "?");
  }
  return shown;
}

std::string Table::text(bool colour, std::size_t columns) const {
  std::vector<std::vector<Cell>> shown;
  if (!headings.empty()) {
    shown.emplace_back();
    for (const auto& heading : headings) shown.back().push_back({heading, style::faint});
  }
  shown.insert(shown.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths;
  for (auto& row : shown) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i].text = printable(row[i].text);
      widths[i] = std::max(widths[i], width(row[i].text));
    }
  }
  std::size_t last = 0;  // where the last column begins, whose cells may have several lines
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) last += widths[i] + 2;
  for (auto& row : shown)
    if (row.size() == widths.size() && !row.empty()) row.back().text = wrapped(row.back().text, columns, last);
  std::string result;
  for (const auto& row : shown) {
    std::string line;
    std::size_t missing = 0;  // blanks before the next cell that has text, so that no line ends in blanks
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!row[i].text.empty()) {
        line.append(missing, ' ') += paint(row[i].text, row[i].look, colour);
        missing = 0;
      }
      missing += widths[i] - width(row[i].text) + 2;
    }
    result += line + '\n';
  }
  return result;
}

Output::Output(bool as_json, std::string_view command)
    : as_json_(as_json), colour_(!as_json && terminal_with_colour()), columns_(terminal_columns(STDOUT_FILENO)) {
  document_["ok"] = true;
  document_["command"] = command;
}

void Output::line(std::string_view text, style look) const {
  if (!as_json_) std::cout << paint(wrapped(printable(text), columns_), look, colour_) << std::endl;
}

void Output::table(const Table& table) const {
  if (!as_json_) std::cout << table.text(colour_, columns_) << std::flush;
}

void Output::exactly(std::string_view text) const {
  if (as_json_) return;
  if (::isatty(STDOUT_FILENO) != 1) {
    std::cout << text << std::flush;
    return;
  }
  std::string without_tabs;
  for (const char c : text) without_tabs.append(c == '\t' ? 4 : 1, c == '\t' ? ' ' : c);
  std::cout << printable(without_tabs) << std::flush;
}

void Output::note(std::string_view text) const {
  std::cerr << wrapped("statehouse: " + printable(text), terminal_columns(STDERR_FILENO)) << std::endl;
}

void Output::diagnostic(std::string_view text) const {
  std::cerr << printable(text) << std::endl;
}

void Output::confirm(std::string_view question, bool yes) const {
  if (yes) return;
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1)
    throw UsageError("this asks before it does it, and there is no terminal to ask on: give --yes if you mean it");
  std::cerr << printable(question) << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes") throw Finding("declined", "nothing was done");
}

void Output::fail(const std::exception_ptr& error) {
  const Failure failure = describe(error);
  exit_code_ = failure.exit;
  document_["ok"] = false;
  document_["error"] = failure.object;
  if (!as_json_) {
    std::cout << std::flush;
    const auto& message = failure.object.at("message").as_string();
    note({message.data(), message.size()});
  }
}

exit_code Output::finish() {
  if (as_json_) std::cout << to_valid_utf8(json::serialize(document_)) << std::endl;
  if (!std::cout && exit_code_ == exit_done) {
    std::cerr << "statehouse: standard output cannot be written" << std::endl;
    return exit_failed;
  }
  return exit_code_;
}

std::string to_text(std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::duration<double>(duration).count();
  char text[32];
  if (seconds < 0.001) {
    std::snprintf(text, sizeof text, "%.0f us", seconds * 1e6);
  } else if (seconds < 1) {
    std::snprintf(text, sizeof text, "%.1f ms", seconds * 1e3);
  } else if (seconds < 60) {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  } else {
    const auto whole = static_cast<long long>(seconds);
    std::snprintf(text, sizeof text, "%lld m %lld s", whole / 60, whole % 60);
  }
  return text;
}

std::string size_text(std::uintmax_t bytes) {
  constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", value, units[unit]);
  return text;
}

std::string count_text(std::size_t count, std::string_view what) {
  std::string text = std::to_string(count) + ' ';
  return text.append(what) += count == 1 ? "" : "s";
}

std::string in_shell_quotes(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + '\'';
}

}  // namespace statehouse::cli
