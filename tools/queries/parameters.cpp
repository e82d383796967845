#include "parameters.hpp"

#include <sqlite3.h>

#include <algorithm>

namespace statehouse::queries {
namespace {

bool is_named(const SqlToken& token) {
  return token.kind == token_kind::variable && token.text.starts_with(':') && is_identifier(token.text.substr(1));
}

/// Whether the statement asks if it is NULL: then it may be.
bool is_asked_for_null(const Query& query, std::string_view parameter) {
  const auto& tokens = query.tokens;
  const auto is = [&](std::size_t place, std::string_view word) {
    return place < tokens.size() && tokens[place].is(word);
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].kind != token_kind::variable || tokens[i].text != parameter) continue;
    const bool tested =
        is(i + 1, "is") || is(i + 1, "isnull") || is(i + 1, "notnull") || (is(i + 1, "not") && is(i + 2, "null"));
    const bool replaced = i >= 2 && is(i - 1, "(") && (is(i - 2, "coalesce") || is(i - 2, "ifnull"));
    if (tested || replaced) return true;
  }
  return false;
}

CheckedParameter typed(CheckedParameter parameter, const std::set<ParameterUse>& uses) {
  for (const ParameterUse& use : uses) {
    const std::string& cpp = use.column->type.cpp;
    if (use.column == uses.begin()->column) parameter.cpp = cpp;
    if (cpp != parameter.cpp) return {parameter.name, {}, false};  // of several columns that are not alike
    parameter.nullable = parameter.nullable || (use.stored && use.column->nullable);
  }
  return parameter;
}

}  // namespace

std::vector<CheckedParameter> parameters_of(sqlite3_stmt* statement, const Query& query, const ProgramFacts& facts,
                                            const QueryFile& file, Diagnostics& found) {
  for (const SqlToken& token : query.tokens)
    if (token.kind == token_kind::variable && !is_named(token))
      found.push_back(file.at(token.offset, "a parameter is called :NAME, with letters, digits and '_', not '" +
                                                std::string(token.text) + '\''));
  std::vector<CheckedParameter> parameters;
  for (int i = 1; i <= sqlite3_bind_parameter_count(statement); ++i) {
    const char* const name = sqlite3_bind_parameter_name(statement, i);
    if (name == nullptr) return parameters;  // told already
    CheckedParameter parameter{name + 1, {}, false};
    const auto uses = facts.parameters.find(i);
    if (facts.complete && uses != facts.parameters.end()) parameter = typed(std::move(parameter), uses->second);
    if (!parameter.cpp.empty() && is_asked_for_null(query, name)) parameter.nullable = true;
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

}  // namespace statehouse::queries
