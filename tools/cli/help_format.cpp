#include "help_format.hpp"

#include "settings.hpp"
#include "wrap.hpp"

namespace statehouse::cli {
namespace {

constexpr std::size_t first_column = 26;
constexpr std::size_t columns = 80;

/// `name` and, from `first_column` on, `text`.
std::string entry(const std::string& name, const std::string& text) {
  std::string result = "  " + name;
  if (result.size() + 2 > first_column)
    result += '\n' + std::string(first_column, ' ');
  else
    result.resize(first_column, ' ');
  return result + wrapped(text, columns, first_column) + '\n';
}

}  // namespace

std::string description_of(const CLI::Option& option) {
  std::string text = option.get_description();
  if (is_setting(option)) text += " (" + variables_of(option) + ')';
  if (option.get_required() && !option.get_positional()) text += "; required";
  return text;
}

std::string description_of(const CLI::App& command) {
  std::string text = command.get_description();
  std::string also;
  for (const std::string& alias : command.get_aliases()) also += (also.empty() ? "; also: " : ", ") + alias;
  return text + also;
}

std::string value_text(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  std::string type = option.get_type_name();
  if (const auto choice = type.find('{'); choice != std::string::npos) type = type.substr(choice);
  if (option.get_positional()) return type.starts_with('{') ? type : std::string();
  const std::string usual = option.get_default_str();
  return type + (usual.empty() ? "" : '=' + usual);
}

std::string HelpFormat::make_description(const CLI::App* command) const {
  return wrapped(command->get_description(), columns) + '\n';
}

std::string HelpFormat::make_option(const CLI::Option* option, bool is_positional) const {
  const std::string value = value_text(*option);
  return entry(make_option_name(option, is_positional) + (value.empty() ? "" : ' ' + value), description_of(*option));
}

std::string HelpFormat::make_subcommand(const CLI::App* command) const {
  return entry(command->get_name(), description_of(*command));
}

}  // namespace statehouse::cli
