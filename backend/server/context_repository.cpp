#include "context_repository.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "json_syntax.hpp"
#include "statehouse/app_state.hpp"

namespace statehouse::server {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view database_name = "context";
constexpr std::size_t page_bytes = std::size_t{8} << 20;
constexpr std::size_t blocks_per_page = 10'000;
/// A search reads the whole table when nothing matches.
constexpr CallOptions search_limits{.run_timeout = 5s};

BlockPage collect(Reader& db, std::vector<BlockKey> keys, std::size_t limit) {
  BlockPage page;
  std::size_t bytes = 0;
  for (BlockKey& key : keys) {
    page.more = page.blocks.size() == limit || bytes >= page_bytes;
    if (page.more) break;
    auto context = db.query_one<std::string>(
        "SELECT CAST(context AS TEXT) FROM context WHERE document_id = ? AND block_id = ?", key.document, key.block);
    bytes += context.size();
    page.blocks.push_back({std::move(key.document), std::move(key.block), std::move(context)});
  }
  return page;
}

std::vector<BlockKey> find(Reader& db, const std::string& pattern, const BlockKey& start, std::size_t limit) {
  try {
    // SQLite evaluates REGEXP only where there are rows; this finds a bad pattern always, and first.
    db.query_one<bool>("SELECT '' REGEXP ?", pattern);
    return db.query_all<BlockKey>(
        "SELECT document_id, block_id FROM context"
        " WHERE (document_id, block_id) > (?, ?) AND CAST(context AS TEXT) REGEXP ?"
        " ORDER BY document_id, block_id LIMIT ?",
        start.document, start.block, pattern, limit);
  } catch (const Error& error) {
    if (error.code() == make_sqlite_error(SQLITE_ERROR)) throw InvalidPattern(error.message());
    throw;
  }
}

/// One of the searches that may run at the same time.
class SearchPlace {
 public:
  SearchPlace(std::atomic<std::size_t>& taken, std::size_t places) : taken_(taken) {
    if (taken_.fetch_add(1) < places) return;
    --taken_;
    throw TooManySearches();
  }
  ~SearchPlace() { --taken_; }
  SearchPlace(const SearchPlace&) = delete;
  SearchPlace& operator=(const SearchPlace&) = delete;

 private:
  std::atomic<std::size_t>& taken_;
};

}  // namespace

// The column's type, JSON, means to SQLite that text which looks like a number becomes one: `1.0` would come back as
// `1`. So a JSON value that is a number is stored as a blob, which is left alone, and reading casts to text. All else
// is stored as text.

/// The start of the program opens it: no request waits for that, nor begins it once more where it has failed.
asio::awaitable<Pool> ContextRepository::open_pool() const {
  if (auto pool = state_.db_instances.try_get_pool(database_name)) co_return *std::move(pool);
  if (!state_.db_instances.health().started()) throw Error(errc::not_initialised, "the database is not open yet");
  co_return co_await state_.db_instances.get_pool(database_name);  // it was: says why it is not any more
}

asio::awaitable<bool> ContextRepository::put(const BlockKey& key, const std::string& context) const {
  const Pool pool = co_await open_pool();
  const bool number = is_json_number(context);
  co_return co_await pool.write([&](Connection& db) {
    const auto updated = db.execute(
        "UPDATE context SET context = iif(?4, CAST(?3 AS BLOB), ?3) WHERE document_id = ?1 AND block_id = ?2",
        key.document, key.block, context, number);
    if (updated.changes > 0) return false;
    db.execute("INSERT INTO context (document_id, block_id, context) VALUES (?1, ?2, iif(?4, CAST(?3 AS BLOB), ?3))",
               key.document, key.block, context, number);
    return true;
  });
}

asio::awaitable<std::optional<std::string>> ContextRepository::get(const BlockKey& key) const {
  const Pool pool = co_await open_pool();
  co_return co_await pool.query_optional<std::string>(
      "SELECT CAST(context AS TEXT) FROM context WHERE document_id = ? AND block_id = ?", key.document, key.block);
}

asio::awaitable<bool> ContextRepository::erase(const BlockKey& key) const {
  const Pool pool = co_await open_pool();
  const ExecuteResult result =
      co_await pool.execute("DELETE FROM context WHERE document_id = ? AND block_id = ?", key.document, key.block);
  co_return result.changes > 0;
}

asio::awaitable<BlockPage> ContextRepository::list(const BlockKey& start) const {
  const Pool pool = co_await open_pool();
  co_return co_await pool.read([&](Reader& db) {
    auto keys = db.query_all<BlockKey>(
        "SELECT document_id, block_id FROM context WHERE document_id = ? AND block_id > ? ORDER BY block_id LIMIT ?",
        start.document, start.block, blocks_per_page + 1);
    return collect(db, std::move(keys), blocks_per_page);
  });
}

asio::awaitable<std::int64_t> ContextRepository::erase_document(const std::string& document) const {
  const Pool pool = co_await open_pool();
  const ExecuteResult result = co_await pool.execute("DELETE FROM context WHERE document_id = ?", document);
  co_return result.changes;
}

asio::awaitable<BlockPage> ContextRepository::search(const std::string& pattern, const BlockKey& start,
                                                     std::size_t limit) const {
  const Pool pool = co_await open_pool();
  const std::size_t readers = pool.stats().readers.max_connections;
  const SearchPlace place(searches_, std::max<std::size_t>(readers, 2) - 1);
  co_return co_await pool.read([&](Reader& db) { return collect(db, find(db, pattern, start, limit + 1), limit); },
                               search_limits);
}

}  // namespace statehouse::server
