#pragma once

#include <filesystem>
#include <string>

#include "child_process.hpp"
#include "plain_database.hpp"

namespace statehouse::test {

/// Executes `sql` in a process that ends without closing the database, as one that is killed, so that its log stays.
inline void leave_log(const std::filesystem::path& file, const std::string& sql) {
  in_child([&]() -> std::string {
    auto* const left = new PlainDatabase(file);
    left->execute(sql);
    return {};
  });
}

}  // namespace statehouse::test
