#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// What the tool says: lines and tables for people as it goes, or one JSON document for machines at the end.
namespace statehouse::cli {

namespace json = boost::json;

enum exit_code : int { exit_done = 0, exit_failed = 1, exit_usage = 2, exit_would_change = 3 };

/// The arguments ask for something that cannot be done; ends with exit_usage.
struct UsageError : std::runtime_error {
  using runtime_error::runtime_error;
};

/// The command has come to its end, and what it found is not as it should be. `what()` says what to do.
struct Finding : std::runtime_error {
  Finding(std::string its_kind, const std::string& message, std::string its_file = {}, std::size_t its_line = 0)
      : runtime_error(message), kind(std::move(its_kind)), file(std::move(its_file)), line(its_line) {}
  std::string kind;
  std::string file;  ///< Where it is about one.
  std::size_t line;  ///< From 1; 0 for none.
};

enum class style { plain, good, warning, bad, faint };

struct Cell {
  std::string text;
  style look = style::plain;
};

/// Rows of cells under headings, aligned by characters.
struct Table {
  std::vector<std::string> headings;
  std::vector<std::vector<Cell>> rows;

  /// With lines that fit in `columns`; 0 is no limit.
  std::string text(bool colour, std::size_t columns = 0) const;
};

class Output {
 public:
  /// `command` as typed, "migrate run".
  Output(bool as_json, std::string_view command);

  bool as_json() const noexcept { return as_json_; }
  /// Goes to standard output in the end; `command`, `ok` and `error` are set by this class.
  json::object& document() noexcept { return document_; }

  /// For people only.
  void line(std::string_view text, style look = style::plain) const;
  void table(const Table& table) const;
  /// Byte for byte, as somebody may keep it in a file; a terminal gets it printable.
  void exactly(std::string_view text) const;
  /// To standard error, for people and machines.
  void note(std::string_view text) const;
  /// To standard error, as compilers write: one line that begins with a file and its line.
  void diagnostic(std::string_view text) const;

  /// Asks on the terminal unless `yes`. Throws UsageError where there is nobody to ask, Finding where the answer is no.
  void confirm(std::string_view question, bool yes) const;

  /// Takes up an exception: the error object, or a sentence on standard error.
  void fail(const std::exception_ptr& error);
  void set_exit_code(exit_code code) noexcept { exit_code_ = code; }
  /// Prints the document, if that is wanted, and gives the exit code.
  exit_code finish();

 private:
  const bool as_json_;
  const bool colour_;
  const std::size_t columns_;  // of the terminal; 0 where it is none
  exit_code exit_code_ = exit_done;
  json::object document_;
};

/// "1.5 ms", "2 m 5 s"
std::string to_text(std::chrono::nanoseconds duration);
/// "12.3 MiB"
std::string size_text(std::uintmax_t bytes);
/// "1 migration", "2 migrations"
std::string count_text(std::size_t count, std::string_view what);
/// For sh, bash, zsh and fish.
std::string in_shell_quotes(std::string_view text);
/// Text for a terminal: no control characters but line ends.
std::string printable(std::string_view text);

}  // namespace statehouse::cli
