#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "measurement.hpp"
#include "statehouse/options.hpp"

namespace statehouse::bench {

/// One way to reach SQLite, open on a database. Only one is open at a time.
class System {
 public:
  virtual ~System() = default;
  virtual Measurement run(const Load& load) = 0;
};

struct DatabaseFile {
  std::filesystem::path path;
  durability synchronous = durability::normal;
};

/// Connections, and threads that use them, of the systems that have no opinion of their own.
unsigned pool_size();

std::unique_ptr<System> open_statehouse(const DatabaseFile& database);
/// With `PoolOptions::inline_reads`.
std::unique_ptr<System> open_statehouse_inline(const DatabaseFile& database);
/// Loops over the plain C API, `Load::in_flight` of them, each on a thread and a connection of its own.
std::unique_ptr<System> open_c_api(const DatabaseFile& database);
std::unique_ptr<System> open_hand_written_pool(const DatabaseFile& database);
std::unique_ptr<System> open_poco(const DatabaseFile& database);
std::unique_ptr<System> open_soci(const DatabaseFile& database);

struct SystemKind {
  std::string name;
  std::unique_ptr<System> (*open)(const DatabaseFile&);
};

inline constexpr const char* statehouse_name = "statehouse";
inline constexpr const char* statehouse_inline_name = "statehouse, inline reads";
inline constexpr const char* c_api_name = "C API";
inline constexpr const char* c_api_rows_name = "C API, scripts and their rows";
inline constexpr const char* hand_written_name = "hand-written pool";
inline constexpr const char* sqlx_name = "sqlx";  ///< A peer, where one is given this name.

/// Those with a pool that coroutines can use; ours first. POCO and SOCI where they were found when this was built.
std::vector<SystemKind> pooled_systems();

}  // namespace statehouse::bench
