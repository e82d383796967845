#include <algorithm>
#include <cctype>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "database.hpp"
#include "help_format.hpp"
#include "output.hpp"
#include "statehouse/version.hpp"

// The manual pages are made from the definition of the command line, so none can fall behind it.
namespace statehouse::cli {
namespace {

/// Text for roff.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (result.empty() || result.back() == '\n')
      if (c == '.' || c == '\'') result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  return result;
}

std::string bold(const std::string& text) {
  return "\\fB" + escaped(text) + "\\fR";
}

std::string italic(const std::string& text) {
  return "\\fI" + escaped(text) + "\\fR";
}

/// "statehouse-migrate-run"
std::string page_name(const std::string& path) {
  std::string name = path;
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string sentence(std::string text) {
  if (!text.ends_with('.')) text += '.';
  return text;
}

std::string synopsis(const CLI::App& command, const std::string& path) {
  std::string text = ".SH SYNOPSIS\n" + bold(path) + " [" + italic("OPTION") + "]...";
  if (!command.get_subcommands({}).empty()) text += ' ' + italic("COMMAND");
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = italic(option->get_name(true)) + (option->get_items_expected_max() > 1 ? "..." : "");
    text += option->get_required() ? ' ' + name : " [" + name + ']';
  }
  return text + '\n';
}

std::string tagged_paragraph(const std::string& name, const std::string& text) {
  return ".TP\n" + name + '\n' + escaped(sentence(text)) + '\n';
}

std::string names_of(const CLI::Option& option) {
  if (option.get_positional()) return italic(option.get_name(true));
  std::string names;
  for (const auto& name : option.get_snames()) names += bold('-' + name) + ", ";
  for (const auto& name : option.get_lnames()) names += bold("--" + name) + ", ";
  names.resize(names.size() - 2);
  const std::string value = value_text(option);
  return names + (value.empty() ? "" : ' ' + italic(value));
}

std::string options(const CLI::App& command) {
  std::string text = ".SH OPTIONS\n";
  for (const bool positional : {true, false})
    for (const CLI::Option* option : command.get_options())
      if (option->get_positional() == positional) text += tagged_paragraph(names_of(*option), description_of(*option));
  return text;
}

std::string commands(const CLI::App& command) {
  std::string text;
  for (const CLI::App* one : command.get_subcommands({}))
    text += tagged_paragraph(bold(one->get_name()), description_of(*one));
  return text.empty() ? text : ".SH COMMANDS\n" + text;
}

/// The section that a paragraph of the help belongs to, by how that begins.
std::string section_of(const std::string& first_line) {
  if (first_line.starts_with("Example") || first_line.starts_with("First steps")) return "EXAMPLES";
  if (first_line.starts_with("What has a name")) return "ENVIRONMENT AND FILES";
  return first_line.starts_with("Exit codes") ? "EXIT STATUS" : "NOTES";
}

/// What the help ends with: examples, where settings may come from, exit codes. Lines that are indented there stay
/// lines.
std::string sections(const std::string& footer) {
  std::istringstream in(footer);
  std::string text;
  bool begins = true;
  bool indented = false;
  for (std::string line; std::getline(in, line);) {
    const bool heading = begins && !line.empty();
    if (heading) text += ".SH " + section_of(line) + '\n';
    begins = line.empty();
    if (begins || (heading && line.ends_with(':'))) continue;
    const auto first = line.find_first_not_of(' ');
    if (first > 0 || indented) text += ".br\n";
    indented = first > 0;
    text += escaped(line.substr(first)) + '\n';
  }
  return text;
}

std::string see_also(const CLI::App& command, const std::string& path) {
  std::vector<std::string> pages;
  if (const auto space = path.rfind(' '); space != std::string::npos) pages.push_back(page_name(path.substr(0, space)));
  for (const CLI::App* one : command.get_subcommands({})) pages.push_back(page_name(path + ' ' + one->get_name()));
  std::string text = ".SH SEE ALSO\n";
  for (const auto& page : pages) text += ".BR " + escaped(page) + " (1)" + (page == pages.back() ? "\n" : ",\n");
  return pages.empty() ? std::string() : text;
}

std::string page(const CLI::App& command, const std::string& path) {
  std::string title = page_name(path);
  std::string name = command.get_description();
  name.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(name.front())));
  if (name.ends_with('.')) name.pop_back();
  std::string heading = title;
  std::ranges::transform(heading, heading.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return ".TH " + escaped(heading) +
         " 1 \"\" \"statehouse " STATEHOUSE_VERSION "\" \"statehouse\"\n.nh\n.ad l\n.SH NAME\n" + escaped(title) +
         " \\- " + escaped(name) + '\n' + synopsis(command, path) + ".SH DESCRIPTION\n" +
         escaped(sentence(description_of(command))) + '\n' + commands(command) + options(command) +
         sections(command.get_footer()) + see_also(command, path);
}

std::size_t write_pages(const CLI::App& command, const std::string& path, const std::filesystem::path& directory) {
  const auto file = directory / (page_name(path) + ".1");
  std::ofstream out(file, std::ios::binary);
  out << page(command, path) << std::flush;
  if (!out) {
    const boost::system::error_code code(errno, boost::system::system_category());
    throw Error(code,
                "cannot write '" + file.string() + "': " + code.message() + ": see to owner, mode and room there");
  }
  std::size_t count = 1;
  for (const CLI::App* one : command.get_subcommands({}))
    count += write_pages(*one, path + ' ' + one->get_name(), directory);
  return count;
}

}  // namespace

void manual(const Arguments& arguments, Output& output) {
  const std::filesystem::path directory(arguments.target_directory);
  make_directories(directory);
  Arguments unused;
  CLI::App app;
  define(app, unused);
  const std::size_t count = write_pages(app, "statehouse", directory);
  output.document()["pages"] = count;
  output.line("wrote " + count_text(count, "page") + " to " + directory.string() + ": man -l " +
                  in_shell_quotes((directory / "statehouse.1").string()),
              style::good);
}

}  // namespace statehouse::cli
