#pragma once

#include <string_view>

#include "migrate/run/bookkeeping.hpp"
#include "statehouse/migration.hpp"

namespace statehouse::detail {

/// Throws MigrationError, `errc::migration_mismatch`: both checksums, what differs where that can be told, what to do.
/// `times` are those of the database.
[[noreturn]] void fail_mismatch(const Migration& migration, const AppliedMigration& applied,
                                const std::vector<AppliedTime>& times, std::u32string_view ignored_characters,
                                const Error::Context& context);

}  // namespace statehouse::detail
