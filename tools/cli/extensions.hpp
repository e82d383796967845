#pragma once

#include <string_view>

namespace statehouse::cli {

struct Arguments;

/// Every database that this process opens from now on has the SQLite extensions of --load-extension, those in memory
/// that scripts are tried in as well. Throws Finding for one that cannot be loaded, UsageError where a cluster's nodes
/// would have to load it.
void load_extensions(const Arguments& arguments);

/// Whether SQLite's message is that it lacks a function, a module or a collation, which an extension may have.
bool is_missing_extension(std::string_view message);

/// What to do then.
constexpr const char* extension_advice = ". An extension of SQLite that has it is loaded by --load-extension FILE";

}  // namespace statehouse::cli
