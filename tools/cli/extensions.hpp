#pragma once

namespace statehouse::cli {

struct Arguments;

/// Every database that this process opens from now on has the SQLite extensions of --load-extension, those in memory
/// that scripts are tried in as well. Throws Finding for one that cannot be loaded, UsageError where a cluster's nodes
/// would have to load it.
void load_extensions(const Arguments& arguments);

}  // namespace statehouse::cli
