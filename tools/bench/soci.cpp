// SOCI's connection_pool, used the way its documentation shows.
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "thread_pool_store.hpp"

namespace statehouse::bench {
namespace {

class SociConnections {
 public:
  explicit SociConnections(const DatabaseFile& database) : pool_(pool_size()) {
    const std::string synchronous = database.synchronous == durability::full ? "full" : "normal";
    for (std::size_t i = 0; i < pool_size(); ++i) {
      soci::session& session = pool_.at(i);
      session.open(soci::sqlite3, "db=" + database.path.string() + " timeout=3 synchronous=" + synchronous);
      session << "PRAGMA journal_mode = WAL";
    }
  }

  std::optional<std::string> read(const Key& key) {
    soci::session session(pool_);
    std::string context;
    session << read_sql, soci::into(context), soci::use(key.document), soci::use(key.block);
    if (!session.got_data()) return std::nullopt;
    return context;
  }

  void write(const Key& key, const std::string& value) {
    soci::session session(pool_);
    session << write_sql, soci::use(key.document), soci::use(key.block), soci::use(value);
  }

 private:
  soci::connection_pool pool_;
};

}  // namespace

std::unique_ptr<System> open_soci(const DatabaseFile& database) {
  return std::make_unique<ThreadPoolSystem<SociConnections>>(database);
}

}  // namespace statehouse::bench
