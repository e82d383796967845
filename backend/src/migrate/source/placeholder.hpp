#pragma once

#include <string_view>

#include "statehouse/migration.hpp"

namespace statehouse::detail {

/// Whether `recorded` is the checksum of a file without a statement that became `content`: of an empty one, of what
/// `migrate add` and sqlx make, or of comments that stand at the head of `content`. White space does not count.
bool was_placeholder(std::string_view content, const Checksum& recorded, std::u32string_view ignored = {});

}  // namespace statehouse::detail
