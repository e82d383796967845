#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <string>

namespace statehouse::cli {

/// Help that fits in 80 columns.
class HelpFormat : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* command) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

/// What there is to say of an option: its description, and where else it may come from.
std::string description_of(const CLI::Option& option);
/// What there is to say of a command: its description, and how others call it.
std::string description_of(const CLI::App& command);
/// "FILE=x.db", "{table,json}=table", "VERSION ..."
std::string value_text(const CLI::Option& option);

}  // namespace statehouse::cli
