// POCO's SessionPool, used the way its documentation shows.
#include <Poco/Data/Session.h>
#include <Poco/Data/SessionPool.h>
#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/Statement.h>

#include "thread_pool_store.hpp"

namespace statehouse::bench {
namespace {

using namespace Poco::Data::Keywords;

/// POCO refuses a column whose declared type it does not know, JSON for one. An expression has none.
constexpr const char* read_as_text = "SELECT CAST(context AS TEXT) FROM context WHERE document_id = ? AND block_id = ?";

class Sessions : public Poco::Data::SessionPool {
 public:
  explicit Sessions(const DatabaseFile& database)
      : SessionPool("SQLite", database.path.string(), static_cast<int>(pool_size()), static_cast<int>(pool_size())),
        synchronous_(database.synchronous == durability::full ? "PRAGMA synchronous = FULL"
                                                              : "PRAGMA synchronous = NORMAL") {}

 private:
  void customizeSession(Poco::Data::Session& session) override {
    session << "PRAGMA busy_timeout = 3000", now;
    session << "PRAGMA journal_mode = WAL", now;
    session << synchronous_, now;
  }

  const std::string synchronous_;
};

class PocoConnections {
 public:
  explicit PocoConnections(const DatabaseFile& database) : sessions_(open(database)) {}
  ~PocoConnections() { sessions_->shutdown(); }
  PocoConnections(const PocoConnections&) = delete;
  PocoConnections& operator=(const PocoConnections&) = delete;

  std::optional<std::string> read(const Key& key) {
    Poco::Data::Session session = sessions_->get();
    std::vector<std::string> rows;
    session << read_as_text, into(rows), useRef(key.document), useRef(key.block), now;
    if (rows.empty()) return std::nullopt;
    return std::move(rows.front());
  }

  void write(const Key& key, const std::string& value) {
    Poco::Data::Session session = sessions_->get();
    session << write_sql, useRef(key.document), useRef(key.block), useRef(value), now;
  }

 private:
  static std::unique_ptr<Sessions> open(const DatabaseFile& database) {
    Poco::Data::SQLite::Connector::registerConnector();
    return std::make_unique<Sessions>(database);
  }

  const std::unique_ptr<Sessions> sessions_;
};

}  // namespace

std::unique_ptr<System> open_poco(const DatabaseFile& database) {
  return std::make_unique<ThreadPoolSystem<PocoConnections>>(database);
}

}  // namespace statehouse::bench
