#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

/// What the command line does not say: from the environment, else from `.env`, else from `statehouse.toml`, both in the
/// working directory. One rule for all options that say where something is or how this is looked at; what a command is
/// to do only its user says.
namespace statehouse::cli {

struct Arguments;

/// Whether the option may come from elsewhere than the command line.
bool is_setting(const CLI::Option& option);

/// How it is called in the environment and in `.env`; as in `statehouse.toml` it is called as on the command line.
std::string variables_of(const CLI::Option& option);

/// Which options have come from where: "database", "DATABASE_URL in .env, line 2".
using Origins = std::vector<std::pair<std::string, std::string>>;

/// After the command line is parsed: gives the options of `command` that it leaves open the values that they have
/// elsewhere, and --source its default. A database is a file, or has a name, or is of a cluster; whoever says first
/// which, in the order of above, decides, and what others say of the other ways does not count.
///
/// Throws UsageError, which names the place, for a value that the command line would not take either, and for names
/// that nothing has in `statehouse.toml`.
Origins take_settings(CLI::App& command, Arguments& arguments);

/// "--database is from DATABASE_URL in .env, line 2"
std::string text_of(const Origins& origins);

}  // namespace statehouse::cli
