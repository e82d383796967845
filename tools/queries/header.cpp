#include "header.hpp"

#include <filesystem>
#include <set>

#include "names.hpp"

namespace statehouse::queries {
namespace {

/// Of one part of the statement; bytes outside of ASCII as numbers, so that no compiler asks what they are.
std::string in_quotes(std::string_view text) {
  static constexpr char digits[] = "01234567";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      for (const char digit : {'\\', digits[byte >> 6], digits[byte >> 3 & 7], digits[byte & 7]}) quoted += digit;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

/// As a literal of several lines.
std::string literal_of(std::string_view text, const std::string& indent) {
  constexpr std::size_t width = 96;
  std::string literal;
  while (text.size() > width) {
    std::size_t cut = text.rfind(' ', width);
    cut = cut == std::string_view::npos || cut == 0 ? width : cut + 1;
    literal += in_quotes(text.substr(0, cut)) + '\n' + indent;
    text.remove_prefix(cut);
  }
  return literal + in_quotes(text);
}

bool is_struct(const CheckedQuery& query) {
  return query.columns.size() > 1;
}

std::string row_type(const CheckedQuery& query) {
  if (query.columns.empty()) return {};
  return is_struct(query) ? row_name(query.query->name) : field_type(query.columns[0].cpp, query.columns[0].nullable);
}

std::string verb_of(const CheckedQuery& query) {
  switch (query.query->kind) {
    case query_kind::one: return "db.template query_one<" + row_type(query) + '>';
    case query_kind::optional: return "db.template query_optional<" + row_type(query) + '>';
    case query_kind::many: return "db.template query_all<" + row_type(query) + '>';
    case query_kind::returning: return "db.template execute_returning<" + row_type(query) + '>';
    case query_kind::execute: break;
  }
  return "db.execute";
}

bool writes(query_kind kind) {
  return kind == query_kind::execute || kind == query_kind::returning;
}

/// What stands between the brackets, in the declaration and in the call.
struct ParameterText {
  std::string templates;  ///< Of those that may be of any type.
  std::string declared;
  std::string given;
};

ParameterText parameter_text(const CheckedQuery& query) {
  ParameterText text;
  std::set<std::string> taken{"Db", "db", "options", "where", row_name(query.query->name)};
  for (std::size_t i = 0; i < query.parameters.size(); ++i) taken.insert("P" + std::to_string(i + 1));
  for (std::size_t i = 0; i < query.parameters.size(); ++i) {
    const CheckedParameter& parameter = query.parameters[i];
    const std::string name = free_name(parameter.name, taken);
    const std::string any = "P" + std::to_string(i + 1);
    if (parameter.cpp.empty()) text.templates += ", statehouse::Bindable " + any;
    const std::string type =
        parameter.cpp.empty() ? "const " + any + '&' : parameter_type(parameter.cpp, parameter.nullable);
    text.declared += ", " + type + ' ' + name;
    text.given += ", " + name;
  }
  return text;
}

std::string struct_of(const CheckedQuery& query) {
  std::string text = "struct " + row_name(query.query->name) + " {\n";
  std::set<std::string> taken;
  for (const CheckedColumn& column : query.columns)
    text += "  " + field_type(column.cpp, column.nullable) + ' ' + free_name(column.name, taken) + ";\n";
  return text + "};\n\n";
}

/// A '\' at its end would take the next line into the comment.
std::string remark_of(const std::string& remark) {
  return "///" + (remark.empty() ? "" : ' ' + remark) + (remark.ends_with('\\') ? " .\n" : "\n");
}

std::string function_of(const CheckedQuery& query, const QueryFile& file) {
  const ParameterText parameters = parameter_text(query);
  const std::string kinds = writes(query.query->kind)
                                ? "statehouse::Executor<Db> || statehouse::Database<Db>"
                                : "statehouse::QueryExecutor<Db> || statehouse::QueryDatabase<Db>";
  std::string text = is_struct(query) ? struct_of(query) : std::string();
  for (const std::string& remark : query.query->remarks) text += remark_of(remark);
  text += "/// " + std::filesystem::path(file.path()).filename().string() + ", line " +
          std::to_string(file.at(query.query->name_offset, {}).line) + '\n';
  text += "template <class Db" + parameters.templates + ">\nrequires(" + kinds + ")\n";
  text +=
      "auto " + query.query->name + "(const Db& db" + parameters.declared +
      ",\n    statehouse::CallOptions options = {}, std::source_location where = std::source_location::current()) {\n";
  return text + "  return " + verb_of(query) + "(\n      options,\n      statehouse::Sql(" +
         literal_of(query.query->in_one_line(), "                      ") + ", where)" + parameters.given + ");\n}\n\n";
}

}  // namespace

std::string header_of(std::string_view database, const QueryFile& file, const std::vector<CheckedQuery>& queries) {
  std::string text = "// Generated from " + std::filesystem::path(file.path()).filename().string() +
                     " by statehouse. Do not edit.\n#pragma once\n\n";
  for (const char* const header : {"chrono", "cstddef", "cstdint", "optional", "source_location", "span"})
    text += "#include <" + std::string(header) + ">\n";
  text += "#include <statehouse/verbs.hpp>\n#include <string>\n#include <string_view>\n#include <vector>\n";
  for (const std::string& include : file.settings().includes) text += "#include " + include + '\n';
  const std::string name = "statehouse::queries::" + namespace_name(database);
  text += "\nnamespace " + name + " {\n\n";
  for (const CheckedQuery& query : queries) text += function_of(query, file);
  return text + "}  // namespace " + name + '\n';
}

}  // namespace statehouse::queries
