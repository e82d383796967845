#include <algorithm>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "output.hpp"

// All three scripts are made from the definition of the command line, so none can fall behind it.
namespace statehouse::cli {
namespace {

enum class value_kind { none, file, directory, choice, other };

struct Word {
  std::string text;
  std::string description;
  value_kind value = value_kind::none;
  std::vector<std::string> choices{};
};

/// A command, and what may follow it.
struct Node {
  std::string path;                    ///< "statehouse migrate run"
  std::vector<std::string> spelled{};  ///< The same with aliases, and shortcuts.
  std::vector<Word> commands{};
  std::vector<Word> options{};
  std::vector<std::string> arguments{};  ///< What a positional argument may be, where that is a choice.
  value_kind files = value_kind::none;   ///< Whether it may be a file or a directory.
};

/// CLI11 shows a choice as "TEXT:{a,b}".
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto open = type.find('{');
  const auto close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  std::vector<std::string> choices(1);
  for (const char c : type.substr(open + 1, close - open - 1)) {
    if (c == ',') {
      choices.emplace_back();
    } else {
      choices.back() += c;
    }
  }
  return choices;
}

Word option_word(const CLI::Option& option, const std::string& name) {
  Word word{name, option.get_description()};
  word.choices = choices_of(option);
  if (option.get_items_expected_max() == 0) {
    word.value = value_kind::none;
  } else if (!word.choices.empty()) {
    word.value = value_kind::choice;
  } else if (option.get_type_name() == "FILE") {
    word.value = value_kind::file;
  } else if (option.get_type_name() == "DIR") {
    word.value = value_kind::directory;
  } else {
    word.value = value_kind::other;
  }
  return word;
}

/// Groups have aliases too, but who does not know the group's name is shown that.
void add_commands(const CLI::App& app, Node& node) {
  for (const CLI::App* sub : app.get_subcommands({})) {
    node.commands.push_back({sub->get_name(), sub->get_description()});
    if (!sub->get_subcommands({}).empty()) continue;
    for (const auto& alias : sub->get_aliases()) node.commands.push_back({alias, sub->get_description()});
  }
}

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
  Node node{path, {path}};
  const std::string parent = path.substr(0, path.rfind(' ') + 1);
  for (const auto& alias : app.get_aliases()) node.spelled.push_back(parent + alias);
  add_commands(app, node);
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      node.arguments = choices_of(*option);
      node.files = option_word(*option, {}).value;
    }
    for (const auto& name : option->get_snames()) node.options.push_back(option_word(*option, '-' + name));
    for (const auto& name : option->get_lnames()) node.options.push_back(option_word(*option, "--" + name));
  }
  nodes.push_back(std::move(node));
  for (const CLI::App* sub : app.get_subcommands({})) collect(*sub, path + ' ' + sub->get_name(), nodes);
}

/// At the top, too, the commands of migrate that have another name.
void add_shortcuts(const CLI::App& app, std::vector<Node>& nodes) {
  for (const CLI::App* command : app.get_subcommand("migrate")->get_subcommands({})) {
    const auto node = std::ranges::find(nodes, "statehouse migrate " + command->get_name(), &Node::path);
    for (const auto& shortcut : command->get_aliases()) {
      nodes.front().commands.push_back({shortcut, command->get_description()});
      node->spelled.push_back("statehouse " + shortcut);
    }
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

/// The words after a command.
std::string words_of(const Node& node) {
  std::vector<std::string> words = node.arguments;
  for (const auto& command : node.commands) words.push_back(command.text);
  for (const auto& option : node.options) words.push_back(option.text);
  return joined(words);
}

/// What stands for an option of a command in a case: the same option may be of another kind elsewhere.
std::string case_of(const Node& node, const Word& option) {
  return in_shell_quotes(node.path + ' ' + option.text);
}

/// Options that take a value of that kind, as a case pattern.
std::string pattern(const std::vector<Node>& nodes, value_kind kind) {
  std::string text;
  for (const auto& node : nodes)
    for (const auto& option : node.options)
      if (option.value == kind) text += (text.empty() ? "" : "|") + case_of(node, option);
  return text.empty() ? "''" : text;
}

/// A case for every option whose value is a choice.
std::string choice_cases(const std::vector<Node>& nodes, const std::string& before, const std::string& after) {
  std::string text;
  for (const auto& node : nodes)
    for (const auto& option : node.options)
      if (option.value == value_kind::choice)
        text += "    " + case_of(node, option) + ") " + before + joined(option.choices) + after;
  return text;
}

/// Sets `at` to the command that the words before the cursor name. `words` is how the shell says them.
std::string find_path(const std::vector<Node>& nodes, const std::string& words) {
  std::string text = "  local at=statehouse word\n  for word in " + words + "; do\n    case \"$at $word\" in\n      ";
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    for (const auto& spelled : nodes[i].spelled)
      text += in_shell_quotes(spelled) + (spelled == nodes[i].spelled.back() ? "" : "|");
    text += ") at=" + in_shell_quotes(nodes[i].path) + " ;;\n      ";
  }
  return text + "esac\n  done\n";
}

std::string bash(const std::vector<Node>& nodes) {
  std::string text =
      "# bash completion of statehouse, made by: statehouse completion bash\n"
      "_statehouse() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n" +
      find_path(nodes, "\"${COMP_WORDS[@]:1:COMP_CWORD-1}\"") +
      "  case \"$at $prev\" in\n"
      "    " +
      pattern(nodes, value_kind::directory) +
      ") mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); compopt -o filenames; return ;;\n"
      "    " +
      pattern(nodes, value_kind::file) +
      ") mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames; return ;;\n" +
      choice_cases(nodes, "mapfile -t COMPREPLY < <(compgen -W '", "' -- \"$cur\"); return ;;\n") + "    " +
      pattern(nodes, value_kind::other) +
      ") return ;;\n"
      "  esac\n"
      "  local words= files=\n"
      "  case $at in\n";
  for (const auto& node : nodes)
    text += "    " + in_shell_quotes(node.path) + ") words=" + in_shell_quotes(words_of(node)) +
            (node.files == value_kind::file        ? " files=-f"
             : node.files == value_kind::directory ? " files=-d"
                                                   : "") +
            " ;;\n";
  return text +
         "  esac\n"
         "  [[ -z $files ]] || compopt -o filenames\n"
         "  mapfile -t COMPREPLY < <(compgen $files -W \"$words\" -- \"$cur\")\n"
         "}\n"
         "complete -F _statehouse statehouse\n";
}

std::string zsh(const std::vector<Node>& nodes) {
  const auto described = [](const Word& word) {
    std::string text = word.text;
    text += ':' + word.description;
    return in_shell_quotes(text);
  };
  std::string text =
      "#compdef statehouse\n"
      "# zsh completion of statehouse, made by: statehouse completion zsh\n"
      "_statehouse() {\n"
      "  local prev=${words[CURRENT-1]}\n" +
      find_path(nodes, "\"${(@)words[2,CURRENT-1]}\"") +
      "  case \"$at $prev\" in\n"
      "    " +
      pattern(nodes, value_kind::directory) +
      ") _files -/; return ;;\n"
      "    " +
      pattern(nodes, value_kind::file) + ") _files; return ;;\n" + choice_cases(nodes, "compadd ", "; return ;;\n") +
      "    " + pattern(nodes, value_kind::other) +
      ") return ;;\n"
      "  esac\n"
      "  local -a candidates\n"
      "  case $at in\n";
  for (const auto& node : nodes) {
    text += "    " + in_shell_quotes(node.path) + ") candidates=(";
    for (const auto& argument : node.arguments) text += ' ' + in_shell_quotes(argument);
    for (const auto& command : node.commands) text += ' ' + described(command);
    for (const auto& option : node.options) text += ' ' + described(option);
    text += " )";
    if (node.files == value_kind::file) text += "; _files";
    if (node.files == value_kind::directory) text += "; _files -/";
    text += " ;;\n";
  }
  return text +
         "  esac\n"
         "  _describe statehouse candidates\n"
         "}\n"
         "if [ \"$funcstack[1]\" = _statehouse ]; then _statehouse \"$@\"; else compdef _statehouse statehouse; fi\n";
}

std::string fish_option(const Word& option) {
  const bool is_long = option.text.starts_with("--");
  std::string text = (is_long ? " -l " : " -s ") + option.text.substr(is_long ? 2 : 1);
  switch (option.value) {
    case value_kind::none: break;
    case value_kind::file: text += " -r -F"; break;
    case value_kind::directory: text += " -x -a '(__fish_complete_directories)'"; break;
    case value_kind::choice: text += " -x -a " + in_shell_quotes(joined(option.choices)); break;
    case value_kind::other: text += " -x"; break;
  }
  return text + " -d " + in_shell_quotes(option.description) + '\n';
}

std::string fish(const std::vector<Node>& nodes) {
  std::string text =
      "# fish completion of statehouse, made by: statehouse completion fish\n"
      "function __statehouse_at\n"
      "  set -l at statehouse\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    switch \"$at $word\"\n";
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    text += "      case";
    for (const auto& spelled : nodes[i].spelled) text += ' ' + in_shell_quotes(spelled);
    text += "\n        set at " + in_shell_quotes(nodes[i].path) + '\n';
  }
  text +=
      "    end\n"
      "  end\n"
      "  test \"$at\" = \"$argv\"\n"
      "end\n"
      "complete -c statehouse -f\n";
  for (const auto& node : nodes) {
    const std::string begin = "complete -c statehouse -n " + in_shell_quotes("__statehouse_at " + node.path);
    if (!node.arguments.empty()) text += begin + " -a " + in_shell_quotes(joined(node.arguments)) + '\n';
    if (node.files == value_kind::file) text += begin + " -F\n";
    if (node.files == value_kind::directory) text += begin + " -a '(__fish_complete_directories)'\n";
    for (const auto& command : node.commands)
      text += begin + " -a " + command.text + " -d " + in_shell_quotes(command.description) + '\n';
    for (const auto& option : node.options) text += begin + fish_option(option);
  }
  return text;
}

}  // namespace

void completion(const Arguments& arguments, Output&) {
  Arguments unused;
  CLI::App app;
  define(app, unused);
  std::vector<Node> nodes;
  collect(app, "statehouse", nodes);
  add_shortcuts(app, nodes);
  std::cout << (arguments.shell == "bash" ? bash(nodes) : arguments.shell == "zsh" ? zsh(nodes) : fish(nodes));
}

}  // namespace statehouse::cli
