// What a good engineer writes in an afternoon: SQLiteCpp connections handed out in turn, each with a mutex and its
// prepared statements, behind an Asio thread pool.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <atomic>
#include <deque>
#include <mutex>

#include "thread_pool_store.hpp"

namespace statehouse::bench {
namespace {

struct Opened {
  explicit Opened(const DatabaseFile& database)
      : db(database.path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, 3000) {
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(database.synchronous == durability::full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  }
  SQLite::Database db;
};

struct PooledConnection : Opened {
  using Opened::Opened;
  std::mutex mutex;
  SQLite::Statement read{db, read_sql};
  SQLite::Statement write{db, write_sql};
};

/// Makes the statement ready for the next user, also after an exception.
class Reset {
 public:
  explicit Reset(SQLite::Statement& statement) : statement_(statement) {}
  ~Reset() { statement_.tryReset(); }
  Reset(const Reset&) = delete;
  Reset& operator=(const Reset&) = delete;

 private:
  SQLite::Statement& statement_;
};

class RoundRobin {
 public:
  explicit RoundRobin(const DatabaseFile& database) {
    for (unsigned i = 0; i < pool_size(); ++i) connections_.emplace_back(database);
  }

  std::optional<std::string> read(const Key& key) {
    PooledConnection& connection = next();
    const std::lock_guard lock(connection.mutex);
    SQLite::Statement& statement = connection.read;
    const Reset reset(statement);
    statement.bind(1, key.document);
    statement.bind(2, key.block);
    if (!statement.executeStep()) return std::nullopt;
    return statement.getColumn(0).getString();
  }

  void write(const Key& key, const std::string& value) {
    PooledConnection& connection = next();
    const std::lock_guard lock(connection.mutex);
    SQLite::Statement& statement = connection.write;
    const Reset reset(statement);
    statement.bind(1, key.document);
    statement.bind(2, key.block);
    statement.bind(3, value);
    statement.exec();
  }

 private:
  PooledConnection& next() { return connections_[turn_.fetch_add(1, std::memory_order_relaxed) % connections_.size()]; }

  std::deque<PooledConnection> connections_;
  std::atomic<std::size_t> turn_{0};
};

}  // namespace

std::unique_ptr<System> open_hand_written_pool(const DatabaseFile& database) {
  return std::make_unique<ThreadPoolSystem<RoundRobin>>(database);
}

}  // namespace statehouse::bench
