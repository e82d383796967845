#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <span>
#include <string>
#include <string_view>

#include "arguments.hpp"
#include "extensions.hpp"
#include "import_hint.hpp"
#include "output.hpp"
#include "settings.hpp"
#include "stop_signals.hpp"
#include "words.hpp"

namespace {

using namespace statehouse::cli;

/// Looked for before the arguments are understood: a machine wants its document also when they are not.
bool wants_json(std::span<char*> words) {
  const auto is_json = [](std::string_view word) { return word == "json"; };
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--format=json" || (word == "--format" && i + 1 < words.size() && is_json(words[i + 1]))) return true;
  }
  return false;
}

/// The command as it was understood: "migrate run".
std::string command_of(const CLI::App& app) {
  std::string name;
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    name += (name.empty() ? "" : " ") + at->get_name();
  }
  return name;
}

int refuse(CLI::App& app, const CLI::ParseError& error, bool as_json) {
  const std::string command = command_of(app);
  Output output(as_json, command);
  const std::string what = explain(app, error);
  output.fail(
      std::make_exception_ptr(UsageError(what + (what.ends_with('?') ? " See: statehouse " : ". See: statehouse ") +
                                         command + (command.empty() ? "--help" : " --help"))));
  return output.finish();
}

/// The command that was understood last.
CLI::App& innermost(CLI::App& app) {
  return app.get_subcommands().empty() ? app : innermost(*app.get_subcommands().front());
}

/// Says where the values come from that the user does not see before him.
void tell_origins(const Origins& origins, bool failed, Output& output) {
  if (origins.empty()) return;
  auto& settings = output.document()["settings"].emplace_object();
  for (const auto& [name, origin] : origins) settings[name] = origin;
  if (failed && !output.as_json()) output.note(text_of(origins));
}

/// What was ended by a signal ends the program by that.
int ended(const std::exception_ptr& failure, int exit_code) {
  try {
    if (failure != nullptr) std::rethrow_exception(failure);
  } catch (const Interrupted& interrupted) {
    return interrupted.end_program();
  } catch (...) {  // is told
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pager must not end a migration halfway
  spdlog::set_default_logger(spdlog::stderr_color_st("statehouse"));
  spdlog::set_pattern("statehouse: %v");
  spdlog::set_level(spdlog::level::err);  // what the library warns of, looser modes of files above all, db check tells

  Arguments arguments;
  CLI::App app;
  define(app, arguments);
  const auto words = without_shortcut(app, {argv, static_cast<std::size_t>(argc)});
  try {
    app.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return refuse(app, error, wants_json({argv, static_cast<std::size_t>(argc)}));
  }
  Output output(arguments.as_json, command_of(app));
  Origins origins;
  std::exception_ptr failure;
  std::string hint;
  try {
    origins = take_settings(innermost(app), arguments);
    load_extensions(arguments);
    arguments.command(arguments, output);
  } catch (...) {
    failure = std::current_exception();
    output.fail(failure);
    hint = import_hint(failure, arguments.source);
  }
  if (!hint.empty()) {
    output.document()["hint"] = hint;
    if (!output.as_json()) output.note(hint);
  }
  tell_origins(origins, failure != nullptr, output);
  return ended(failure, output.finish());
}
