#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "migrate/run/bookkeeping.hpp"
#include "statehouse/migration.hpp"

namespace statehouse::detail {

// How what a database has recorded does not go with the known migrations, as MigrationErrors that say what to do.

/// `errc::migration_dirty`; `table` is the bookkeeping's.
[[noreturn]] void fail_dirty(const AppliedMigration& applied, const std::string& table, const Error::Context& context);

/// `errc::migration_missing`.
[[noreturn]] void fail_missing(const AppliedMigration& applied, const Error::Context& context);

/// `errc::migration_mismatch`: both checksums, what differs where that can be told. `times` are those of the database.
[[noreturn]] void fail_mismatch(const Migration& migration, const AppliedMigration& applied,
                                const std::vector<AppliedTime>& times, std::u32string_view ignored_characters,
                                const Error::Context& context);

}  // namespace statehouse::detail
