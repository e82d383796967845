#include "settings.hpp"

#include <algorithm>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <limits>
#include <map>

#include "arguments.hpp"
#include "command_line.hpp"
#include "output.hpp"
#include "setting_sources.hpp"
#include "statehouse/database_name.hpp"

namespace statehouse::cli {
namespace {

namespace fs = std::filesystem;

std::string setting_name(const CLI::Option& option) {
  return option.get_lnames().empty() ? std::string() : option.get_lnames().front();
}

/// The options of a command, and what each has elsewhere.
class Settings {
 public:
  explicit Settings(CLI::App& command) {
    for (CLI::Option* option : command.get_options({}))
      if (is_setting(*option)) options_[setting_name(*option)] = option;
    if (!options_.empty()) sources_ = read_setting_sources();
    pass_over_foreign();
    choose_place();
  }

  Origins apply(Arguments& arguments) const {
    Origins origins;
    for (const auto& [name, option] : options_) {
      const SettingValue* const value = option->count() > 0 ? nullptr : find(name);
      if (value == nullptr) continue;
      give(*option, *value);
      if (name == "database") arguments.must_exist = value->must_exist;
      origins.emplace_back(name, value->origin);
    }
    return origins;
  }
  bool has(const std::string& name) const { return options_.contains(name); }
  bool is_given(const std::string& name) const { return is_typed(name) || find(name) != nullptr; }

 private:
  static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t typed = 0;  // and 1 is the first of the sources

  bool is_typed(const std::string& name) const {
    const auto option = options_.find(name);
    return option != options_.end() && option->second->count() > 0;
  }

  /// Where it is found first, whether or not the command has such an option.
  std::size_t rank(const std::string& name) const {
    if (is_typed(name)) return typed;
    for (std::size_t i = 0; i < sources_.size(); ++i)
      if (sources_[i].contains(name)) return i + 1;
    return nowhere;
  }

  const SettingValue* find(const std::string& name) const {
    const std::size_t found = rank(name);
    return found == typed || found == nowhere ? nullptr : &sources_[found - 1].find(name)->second;
  }

  void forget(const std::string& name) {
    for (SettingValues& values : sources_) values.erase(name);
  }

  /// DATABASE_URL may be another program's, as long as something else says which database is meant.
  void pass_over_foreign() {
    const auto is_foreign = [](const SettingValues& values) {
      const auto database = values.find("database");
      return database != values.end() && database->second.is_foreign;
    };
    const bool chosen = rank("name") != nowhere || rank("cluster") != nowhere ||
                        std::ranges::any_of(sources_, [&](const SettingValues& values) {
                          return values.contains("database") && !is_foreign(values);
                        });
    for (SettingValues& values : sources_)
      if (chosen && is_foreign(values)) values.erase("database");
  }

  /// Of the ways to say which database is meant, leaves one.
  void choose_place() {
    if (!has("database") && !has("source")) return;  // what is only of clusters
    const bool is_named = is_typed("data-dir") || is_typed("dev-prefix");
    const std::size_t named = is_named ? typed : std::min(rank("name"), has("cluster") ? rank("cluster") : nowhere);
    const std::size_t file = rank("database");
    if (file == named && file != nowhere)
      throw UsageError(find("database")->origin + " says which database, and so does " +
                       find(rank("name") == file ? "name" : "cluster")->origin +
                       ": keep one of them, or say it on the command line");
    if (file < named) {
      for (const char* name : {"cluster", "data-dir", "dev-prefix", "name"}) forget(name);
    } else {
      forget("database");
    }
    // As the server has it: where there is a cluster, the directory is of no use.
    if (has("cluster") && rank("cluster") != nowhere)
      forget(rank("data-dir") < rank("cluster") ? "cluster" : "data-dir");
  }

  static void give(CLI::Option& option, const SettingValue& value) {
    if (!value.problem.empty()) throw UsageError(value.origin + ": " + value.problem);
    try {
      option.add_result(value.text);
      option.run_callback();
    } catch (const CLI::ParseError& error) {
      throw UsageError(value.origin + ": " + error.what());
    }
  }

  std::map<std::string, CLI::Option*> options_;
  std::vector<SettingValues> sources_;
};

bool has_migrations(const fs::path& directory) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().extension() == ".sql") return true;
  return false;
}

/// migrations/NAME; where one folder of migrations is all that there is, that.
std::string default_source(const std::string& name) {
  const fs::path all("migrations");
  const fs::path own = all / DatabaseName::parse_or_throw(name).view();
  std::error_code error;
  return !fs::is_directory(own, error) && has_migrations(all) ? all.string() : own.string();
}

}  // namespace

bool is_setting(const CLI::Option& option) {
  return std::ranges::find(setting_names(), setting_name(option)) != setting_names().end();
}

std::string variables_of(const CLI::Option& option) {
  const std::string name = setting_name(option);
  return command_line::variable_of(name) + (name == "database" ? ", DATABASE_URL=sqlite:FILE" : "");
}

Origins take_settings(CLI::App& command, Arguments& arguments) {
  const Settings settings(command);
  Origins origins = settings.apply(arguments);
  if (settings.has("source") && !settings.is_given("source") && !arguments.name.empty())
    arguments.source = default_source(arguments.name);
  return origins;
}

std::string text_of(const Origins& origins) {
  std::string text;
  for (const auto& [name, origin] : origins)
    text.append(text.empty() ? "" : "; ").append("--").append(name).append(" is from ").append(origin);
  return text;
}

}  // namespace statehouse::cli
