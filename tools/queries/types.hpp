#pragma once

#include <string>
#include <string_view>

namespace statehouse::queries {

struct QuerySettings;

/// A set of SQLite's storage classes that a value may have.
using Classes = unsigned;
inline constexpr Classes class_null = 1;
inline constexpr Classes class_integer = 2;
inline constexpr Classes class_real = 4;
inline constexpr Classes class_text = 8;
inline constexpr Classes class_blob = 16;
inline constexpr Classes any_value = class_integer | class_real | class_text | class_blob;
inline constexpr Classes anything = any_value | class_null;

/// What a column holds, as it is declared.
struct ColumnType {
  std::string cpp;              ///< Empty where the declaration does not tell.
  Classes classes = any_value;  ///< Without NULL.
};

/// `table` and `column` for what is mapped by name. A declared type that tells nothing, as NUMERIC or DATE, has none.
ColumnType type_of_column(std::string_view table, std::string_view column, std::string_view declared,
                          const QuerySettings& settings);

/// The type that holds these; empty where they are several, or none.
std::string type_of_classes(Classes classes);

/// How a function takes a value of this type: text and blobs as views.
std::string parameter_type(const std::string& cpp, bool nullable);
/// How a row has it.
std::string field_type(const std::string& cpp, bool nullable);

}  // namespace statehouse::queries
