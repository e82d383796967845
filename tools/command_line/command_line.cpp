#include "command_line.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>

namespace statehouse::command_line {
namespace {

template <class Number>
std::optional<Number> parse(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

template <class Number>
std::string as_text(Number number) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr};
}

/// Leaves in `text` what every version of CLI11 reads alike.
template <class Number>
std::string accept(std::string& text, Number least, Number most, std::string_view what) {
  const auto number = parse<Number>(text);
  if (!number || !(*number >= least && *number <= most))  // not a number is out of range, too
    return "'" + text + "' is no " + std::string(what) + " from " + as_text(least) + " to " + as_text(most);
  text = as_text(*number);
  return {};
}

template <class Number>
CLI::Validator validator(Number least, Number most, std::string_view what) {
  const bool limited = least != std::numeric_limits<Number>::min() || most != std::numeric_limits<Number>::max();
  return {[=](std::string& text) { return accept(text, least, most, what); },
          limited ? "in [" + as_text(least) + " - " + as_text(most) + "]" : std::string()};
}

}  // namespace

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  return validator(least, most, "whole number");
}

CLI::Validator seconds(double least, double most) {
  return validator(least, most, "number of seconds");
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string variable_of(std::string_view name) {
  std::string variable = "STATEHOUSE_";
  for (const char c : name) variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

std::string variable_of(const CLI::Option& option) {
  return variable_of(option.get_lnames().at(0));
}

void take_from_environment(CLI::Option& option) {
  const std::string variable = variable_of(option);
  const char* const value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0' || option.count() > 0) return;
  try {
    option.add_result(std::string(value));
    option.run_callback();
  } catch (const CLI::ParseError& error) {
    throw CLI::ValidationError(variable, error.what());
  }
}

}  // namespace statehouse::command_line
