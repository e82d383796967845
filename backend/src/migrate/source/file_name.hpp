#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "statehouse/migration.hpp"

namespace statehouse::detail {

struct FileName {
  std::int64_t version = 0;
  std::string description;
  migration_kind kind = migration_kind::simple;
};

/// Reads `<version>_<description>[.up|.down].sql`. Nothing when the name has another form and the file is not meant;
/// throws MigrationError (`errc::migration_source`) when it has that form but no version.
std::optional<FileName> parse_file_name(std::string_view name);

/// The name that was probably meant by one that has no version, or where '_' has cut it short: "1_init.sql" for
/// "V1__init.sql", "1-init.sql" and "1.sql", "20250101120000_x.sql" for "20250101_120000_x.sql". Empty where there is
/// no telling.
std::string suggested_name(std::string_view name);

/// A decimal signed 64-bit integer with an optional sign and leading zeros, nothing else around it.
std::optional<std::int64_t> parse_version(std::string_view text) noexcept;

}  // namespace statehouse::detail
