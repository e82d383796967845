#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

/// Where settings may stand, beside the command line.
namespace statehouse::cli {

struct SettingValue {
  std::string text;
  std::string origin;       ///< "STATEHOUSE_NAME in .env, line 3"
  bool must_exist = false;  ///< Of a database: DATABASE_URL says that it is not to be made.
  std::string problem{};    ///< Why there is no text.
  bool is_foreign = false;  ///< DATABASE_URL is of another kind of database.
};

/// By name of the option: "data-dir".
using SettingValues = std::map<std::string, SettingValue, std::less<>>;

/// The options that may come from elsewhere.
const std::vector<std::string>& setting_names();

/// The values of each source, the first goes before the others: the environment, what its DATABASE_URL says, the same
/// of `.env`, and `statehouse.toml`. What is empty counts as not there. Throws UsageError.
std::vector<SettingValues> read_setting_sources();

}  // namespace statehouse::cli
