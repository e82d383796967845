#include "words.hpp"

#include <algorithm>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "nearest.hpp"

namespace statehouse::cli {
namespace {

/// The first word that nobody has understood.
std::string unknown_word(const CLI::App& command) {
  const auto words = command.remaining();
  return words.empty() ? std::string() : words.front().substr(0, words.front().find('='));
}

std::string question(const std::string& meant) {
  return meant.empty() ? std::string() : "; did you mean '" + meant + "'?";
}

std::string nearest_option(const CLI::App& command, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  return nearest(word, names);
}

/// Also one that belongs to a command of `command`: "db backup" for "bakup".
std::string nearest_command(const CLI::App& command, const std::string& word, std::vector<std::string> names = {}) {
  const auto commands = command.get_subcommands({});
  for (const CLI::App* one : commands) {
    names.push_back(one->get_name());
    for (const auto& alias : one->get_aliases()) names.push_back(alias);
  }
  if (const std::string found = nearest(word, names); !found.empty()) return found;
  for (const CLI::App* one : commands)
    if (const std::string inner = nearest_command(*one, word); !inner.empty()) return one->get_name() + ' ' + inner;
  return {};
}

}  // namespace

std::vector<std::string> shortcuts(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* command : app.get_subcommand("migrate")->get_subcommands({}))
    for (const auto& alias : command->get_aliases()) words.push_back(alias);
  return words;
}

std::vector<char*> without_shortcut(const CLI::App& app, std::span<char*> words) {
  static char group[] = "migrate";
  std::vector<char*> result(words.begin(), words.end());
  const auto known = shortcuts(app);
  if (words.size() > 1 && std::ranges::find(known, std::string_view(words[1])) != known.end())
    result.insert(result.begin() + 1, group);
  return result;
}

std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  const std::string word = unknown_word(*at);
  const auto commands = at->get_subcommands({});
  if (word.starts_with('-'))
    return '\'' + word + "' is no option of " + at->get_name() + question(nearest_option(*at, word));
  if (commands.empty()) return error.what();
  std::string names;
  for (const CLI::App* command : commands) names += (names.empty() ? "" : ", ") + command->get_name();
  const std::string has = at->get_name() + " has " + names;
  if (word.empty()) return "a command is missing: " + has;
  return "there is no command '" + word + "': " + has +
         question(nearest_command(*at, word, at == &app ? shortcuts(app) : std::vector<std::string>()));
}

}  // namespace statehouse::cli
