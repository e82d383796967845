#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class Option;
class Validator;
}  // namespace CLI

/// What versions of CLI11 do differently, done here: 2.4 reads `1_0` as 10 and passes over a wrong value that comes
/// from the environment without a word, 2.1 reads `0x50` as 80 and `010` as 8.
namespace statehouse::command_line {

/// For `CLI::Option::transform`: a decimal whole number within these limits, and nothing else.
CLI::Validator whole_number(std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                            std::int64_t most = std::numeric_limits<std::int64_t>::max());

/// The same for seconds, with a fraction or without.
CLI::Validator seconds(double least, double most);

/// The parts of a text between its commas, empty ones among them.
std::vector<std::string> split_list(std::string_view text);

/// The environment variable for an option: "STATEHOUSE_DATA_DIR" for "data-dir".
std::string variable_of(std::string_view name);
std::string variable_of(const CLI::Option& option);

/// After the command line is parsed: gives the option the value of its variable, where the command line has none for
/// it. A variable that is empty counts as one that is not set. Throws CLI::ParseError, which names the variable, for a
/// value that the command line would not take either.
void take_from_environment(CLI::Option& option);

}  // namespace statehouse::command_line
