#pragma once

#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

/// The words of a command line, as CLI11 does not see to them.
namespace statehouse::cli {

/// Commands that need no "migrate" before them: how others call those that are used most, "up" for "migrate run".
std::vector<std::string> shortcuts(const CLI::App& app);

/// With "migrate" before a shortcut.
std::vector<char*> without_shortcut(const CLI::App& app, std::span<char*> words);

/// What is wrong with a command line that was refused, and what was probably meant.
std::string explain(const CLI::App& app, const CLI::ParseError& error);

}  // namespace statehouse::cli
