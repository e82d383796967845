#include "settings.hpp"

#include <algorithm>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>

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

bool has_migrations(const fs::path& directory) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().extension() == ".sql") return true;
  return false;
}

struct Folder {
  std::string path;
  bool is_there;
};

/// migrations/NAME, of `tenants/42/state` migrations/state, which is every tenant's; where one folder of migrations is
/// all that there is, that.
Folder default_source(const std::string& name) {
  const fs::path all("migrations");
  const fs::path own = all / DatabaseName::parse_or_throw(name).leaf();
  std::error_code error;
  const bool is_there = fs::is_directory(own, error);
  return {!is_there && has_migrations(all) ? all.string() : own.string(), is_there};
}

/// The options of a command, and what each has elsewhere.
class Settings {
 public:
  explicit Settings(CLI::App& command) {
    for (CLI::Option* option : command.get_options({}))
      if (is_setting(*option)) options_[setting_name(*option)] = option;
    if (!options_.empty()) sources_ = read_setting_sources();
    pass_over_foreign();
    if (is_typed("name") && (is_typed("data-dir") || is_typed("cluster"))) forget("dev-prefix");  // it is said in full
    if (has("source")) choose_folder();
    if (has("database")) choose_place();
  }

  Origins apply(Arguments& arguments) const {
    Origins origins;
    if (folder_) {
      arguments.source = *folder_;
      if (find("name") == nullptr && !folder_origin_.empty()) origins.emplace_back("source", folder_origin_);
    }
    for (const auto& [name, option] : options_) {
      const SettingValue* const value = option->count() > 0 ? nullptr : find(name);
      if (value == nullptr) continue;
      give(*option, *value);
      if (name == "database") arguments.must_exist = value->must_exist;
      origins.emplace_back(name, value->origin);
    }
    return origins;
  }

 private:
  static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t typed = 0;  // and 1 is the first of the sources

  bool has(const std::string& name) const { return options_.contains(name); }

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

  std::string text(const std::string& name) const {
    const SettingValue* const value = find(name);
    return value == nullptr ? options_.at(name)->as<std::string>() : value->text;
  }

  /// Where it is said first that the database has a name.
  std::size_t naming() const {
    if (has("database") && (is_typed("data-dir") || is_typed("dev-prefix"))) return typed;
    return std::min(rank("name"), has("cluster") ? rank("cluster") : nowhere);
  }

  /// The default of --source is that of the name, also where a file stands for the database.
  void choose_folder() {
    if (rank("name") == nowhere) return;
    if (rank("source") != nowhere && !is_of_another()) return;
    const auto folder = default_source(text("name"));
    if (rank("source") != nowhere && !folder.is_there)
      throw UsageError(find("source")->origin + " is of another database than '" + text("name") +
                       "', which has no folder " + folder.path + ": give --source DIR");
    forget("source");
    folder_ = folder.path;
    if (!is_typed("name")) folder_origin_ = find("name")->origin;
  }

  /// Whether a name that counts first is another than that of the database that --source is set for: the one that would
  /// be meant without what is said before.
  bool is_of_another() const {
    const std::size_t source = rank("source");
    if (rank("name") >= source || (has("database") && rank("database") < naming())) return false;
    const auto is_there = [](const SettingValues& values) {
      return values.contains("name") || values.contains("database");
    };
    const auto set_for =
        std::find_if(sources_.begin() + static_cast<std::ptrdiff_t>(source) - 1, sources_.end(), is_there);
    if (set_for == sources_.end()) return false;
    const auto name = set_for->find("name");
    return name == set_for->end() || name->second.text != text("name");
  }

  /// Of the ways to say which database is meant, leaves one.
  void choose_place() {
    const std::size_t named = naming();
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
    if (file >= named && rank("name") != nowhere && rank("cluster") != nowhere) choose_cluster();
  }

  /// As the server has it: where there is a cluster, the directory is of no use.
  void choose_cluster() {
    const bool is_local = rank("data-dir") < rank("cluster");
    if (!has("cluster") && !is_local)
      throw UsageError(find("cluster")->origin + " says that it is in a cluster, and this command is for files: give " +
                       "--data-dir DIR, or --database FILE");
    forget(is_local ? "cluster" : "data-dir");
  }

  static void give(CLI::Option& option, const SettingValue& value) {
    if (!value.problem.empty()) throw UsageError(value.origin + ": " + value.problem);
    const bool is_path = option.get_type_name() == "FILE" || option.get_type_name() == "DIR";
    if (is_path && (value.text == "~" || value.text.starts_with("~/")))
      throw UsageError(value.origin + ": '~' stands for itself here: write out the path of your directory");
    try {
      option.add_result(value.text);
      option.run_callback();
    } catch (const CLI::ParseError& error) {
      throw UsageError(value.origin + ": " + error.what());
    }
  }

  std::map<std::string, CLI::Option*> options_;
  std::vector<SettingValues> sources_;
  std::optional<std::string> folder_;
  std::string folder_origin_;
};

}  // namespace

bool is_setting(const CLI::Option& option) {
  return std::ranges::find(setting_names(), setting_name(option)) != setting_names().end();
}

std::string variables_of(const CLI::Option& option) {
  const std::string name = setting_name(option);
  return command_line::variable_of(name) + (name == "database" ? ", DATABASE_URL=sqlite:FILE" : "");
}

Origins take_settings(CLI::App& command, Arguments& arguments) {
  return Settings(command).apply(arguments);
}

std::string text_of(const Origins& origins) {
  std::string text;
  for (const auto& [name, origin] : origins)
    text.append(text.empty() ? "" : "; ").append("--").append(name).append(" is from ").append(origin);
  return text;
}

}  // namespace statehouse::cli
