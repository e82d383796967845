#include "setting_sources.hpp"

#include <algorithm>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include "command_line.hpp"
#include "database_url.hpp"
#include "dotenv.hpp"
#include "nearest.hpp"
#include "output.hpp"

namespace statehouse::cli {
namespace {

constexpr const char* dotenv_file = ".env";
constexpr const char* config_file = "statehouse.toml";
constexpr const char* url_variable = "DATABASE_URL";

/// Nothing where there is no such file.
std::optional<std::string> content_of(const char* file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error) && !error) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  std::stringstream content;
  content << in.rdbuf();
  if (!in || error || std::filesystem::is_directory(file, error))
    throw UsageError("cannot read '" + std::string(file) +
                     "' in this directory, where options may be set: see to its " +
                     "owner and mode, or work in another directory");
  return content.str();
}

SettingValues of_url(const std::string& url, const std::string& origin) {
  if (url.empty()) return {};
  try {
    const DatabaseUrl parsed = parse_database_url(url);
    return {{"database", {parsed.file, origin, parsed.must_exist}}};
  } catch (const UsageError& error) {  // which only who needs it is told
    return {{"database", {{}, origin, false, error.what(), !url.starts_with("sqlite:")}}};
  }
}

// --- the environment ---

std::string value_of(const std::string& variable) {
  const char* const value = std::getenv(variable.c_str());
  return value == nullptr ? std::string() : value;
}

SettingValues of_environment() {
  SettingValues values;
  for (const std::string& name : setting_names()) {
    const std::string variable = command_line::variable_of(name);
    if (std::string value = value_of(variable); !value.empty())
      values[name] = {std::move(value), variable + " in the environment"};
  }
  return values;
}

// --- .env ---

class Dotenv {
 public:
  Dotenv() : entries_(parse_dotenv(content_of(dotenv_file).value_or(""))) {}

  SettingValues settings() const {
    SettingValues values;
    for (const std::string& name : setting_names())
      if (const DotenvEntry* entry = find(command_line::variable_of(name)))
        values[name] = {entry->value, origin_of(*entry), false, problem_of(*entry)};
    return values;
  }
  SettingValues url() const {
    const DotenvEntry* entry = find(url_variable);
    if (entry == nullptr) return {};
    const std::string problem = problem_of(*entry);
    if (problem.empty()) return of_url(entry->value, origin_of(*entry));
    const bool is_ours = std::ranges::any_of(entries_, [](const DotenvEntry& other) {
      return other.name == url_variable && other.value.starts_with("sqlite:");
    });
    return {{"database", {{}, origin_of(*entry), false, problem, !is_ours}}};
  }

 private:
  static std::string origin_of(const DotenvEntry& entry) {
    return entry.name + " in " + dotenv_file + ", line " + std::to_string(entry.line);
  }

  /// The first that is there, unless it is empty.
  const DotenvEntry* find(const std::string& variable) const {
    const auto entry = std::ranges::find(entries_, variable, &DotenvEntry::name);
    if (entry == entries_.end()) return nullptr;
    return entry->value.empty() && problem_of(*entry).empty() ? nullptr : &*entry;
  }

  /// Which only who needs the value is told: the file may be another program's.
  std::string problem_of(const DotenvEntry& entry) const {
    for (const DotenvEntry& other : entries_)
      if (other.name == entry.name && other.line != entry.line)
        return "it is there once more in line " + std::to_string(other.line) + ": keep one of them";
    return entry.problem;
  }

  const std::vector<DotenvEntry> entries_;
};

// --- statehouse.toml ---

std::string value_of(const CLI::ConfigItem& item, const std::string& origin) {
  std::string text;
  for (const std::string& part : item.inputs) {
    if (part.starts_with('"') || part.starts_with('\''))
      throw UsageError(origin + ": the value has no second quote: a '#' begins a comment, wherever it stands");
    text += (text.empty() ? "" : ",") + part;
  }
  if (item.inputs.size() > 1 && item.name != "cluster")
    throw UsageError(origin + ": this is more than one value: put it in quotes, and set it once");
  return text;
}

SettingValues of_config_file() {
  const auto content = content_of(config_file);
  if (!content) return {};
  const std::string in_file = std::string(" in ") + config_file;
  std::istringstream in(*content);
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(in);
  } catch (const CLI::Error& error) {
    throw UsageError(std::string(config_file) + ": " + error.what());
  }
  SettingValues values;
  for (const CLI::ConfigItem& item : items) {
    if (!item.parents.empty())
      throw UsageError("'" + item.parents.front() + "'" + in_file +
                       " is a section, and there are none: options stand " +
                       "there as on the command line, without the hyphens");
    const std::string near = nearest(item.name, setting_names());
    if (std::ranges::find(setting_names(), item.name) == setting_names().end())
      throw UsageError("'" + item.name + "'" + in_file + " is nothing that can be set there" +
                       (near.empty() ? std::string(": --help shows what can") : ": did you mean '" + near + "'?"));
    if (std::string value = value_of(item, item.name + in_file); !value.empty())
      values[item.name] = {std::move(value), item.name + in_file};
  }
  return values;
}

}  // namespace

const std::vector<std::string>& setting_names() {
  static const std::vector<std::string> names{"source",      "database",     "data-dir",     "name",
                                              "dev-prefix",  "busy-timeout", "cluster",      "dial-timeout",
                                              "find-leader", "table",        "ignored-chars"};
  return names;
}

std::vector<SettingValues> read_setting_sources() {
  const Dotenv dotenv;
  return {of_environment(), of_url(value_of(url_variable), std::string(url_variable) + " in the environment"),
          dotenv.settings(), dotenv.url(), of_config_file()};
}

}  // namespace statehouse::cli
