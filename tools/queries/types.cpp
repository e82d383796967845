#include "types.hpp"

#include <array>

#include "query_file.hpp"

namespace statehouse::queries {
namespace {

constexpr const char* integer_type = "std::int64_t";
constexpr const char* bytes_type = "std::vector<std::byte>";
constexpr const char* time_type = "std::chrono::sys_time<std::chrono::microseconds>";

/// "VARCHAR(20)" is "varchar".
std::string base_of(std::string_view declared) {
  std::string name = lower(declared.substr(0, declared.find('(')));
  while (name.ends_with(' ')) name.pop_back();
  return name;
}

/// SQLite's rules of affinity, after the names that mean more than it.
ColumnType type_of_declaration(const std::string& name) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  if (name == "boolean" || name == "bool") return {"bool", class_integer};
  if (name == "datetime" || name == "timestamp") return {time_type, class_text | class_integer};
  if (name == "json") return {"std::string", class_text};
  if (has("int")) return {integer_type, class_integer};
  if (has("char") || has("clob") || has("text")) return {"std::string", class_text};
  if (has("blob")) return {bytes_type, class_blob};
  if (has("real") || has("floa") || has("doub")) return {"double", class_real};
  return {};
}

bool is_passed_by_value(const std::string& cpp) {
  static constexpr std::array<std::string_view, 4> small{integer_type, "double", "bool", time_type};
  for (const std::string_view one : small)
    if (cpp == one) return true;
  return false;
}

}  // namespace

ColumnType type_of_column(std::string_view table, std::string_view column, std::string_view declared,
                          const QuerySettings& settings) {
  ColumnType type = type_of_declaration(base_of(declared));
  for (const std::string& key : {lower(table) + '.' + lower(column), lower(declared), base_of(declared)})
    if (const auto mapped = settings.types.find(key); mapped != settings.types.end() && !key.empty()) {
      type.cpp = mapped->second;
      break;
    }
  return type;
}

std::string type_of_classes(Classes classes) {
  switch (classes & any_value) {
    case class_integer: return integer_type;
    case class_real: return "double";
    case class_text: return "std::string";
    case class_blob: return bytes_type;
    default: return {};
  }
}

std::string parameter_type(const std::string& cpp, bool nullable) {
  const std::string view = cpp == "std::string" ? "std::string_view"
                           : cpp == bytes_type  ? "std::span<const std::byte>"
                                                : "";
  const std::string type = field_type(view.empty() ? cpp : view, nullable);
  return !view.empty() || is_passed_by_value(cpp) ? type : "const " + type + '&';
}

std::string field_type(const std::string& cpp, bool nullable) {
  return nullable ? "std::optional<" + cpp + '>' : cpp;
}

}  // namespace statehouse::queries
