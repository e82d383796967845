#include "context_repository.hpp"

#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <statehouse/queries/context.hpp>
#include <string_view>

#include "json_syntax.hpp"
#include "statehouse/app_state.hpp"
#include "statehouse/changes.hpp"
#include "statehouse/database_name.hpp"

namespace statehouse::server {

namespace {

using namespace std::chrono_literals;
namespace sql = queries::context;

constexpr std::string_view own_database = "context";
constexpr std::size_t page_bytes = std::size_t{8} << 20;
constexpr std::size_t blocks_per_page = 10'000;
/// A search reads the whole table when nothing matches.
constexpr CallOptions search_limits{.run_timeout = 5s};

/// Of rows with a `document` and a `block`.
template <class Key>
BlockPage collect(Reader& db, std::vector<Key> keys, std::size_t limit) {
  BlockPage page;
  std::size_t bytes = 0;
  for (Key& key : keys) {
    page.more = page.blocks.size() == limit || bytes >= page_bytes;
    if (page.more) break;
    auto context = sql::get_block(db, key.document, key.block);
    if (!context) continue;  // as this is one snapshot, it is there
    bytes += context->size();
    page.blocks.push_back({std::move(key.document), std::move(key.block), *std::move(context)});
  }
  return page;
}

std::vector<sql::MatchesBehindRow> find(Reader& db, const std::string& pattern, const BlockKey& start,
                                        std::size_t limit) {
  try {
    sql::matches_nothing(db, pattern);  // a bad pattern is found first
    return sql::matches_behind(db, start.document, start.block, pattern, static_cast<std::int64_t>(limit));
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

ContextRepository::ContextRepository(AppState& state, std::atomic<std::size_t>& searches, const std::string& tenant)
    : state_(state), searches_(searches), tenants_database_("tenants/" + tenant + "/context") {
  // What is taken off a name, or is a directory more, would be another tenant's.
  const auto segment = DatabaseName::parse_segment(tenant);
  if (!segment || segment->view() != tenant) throw Error(errc::invalid_name, "'" + tenant + "' is no tenant");
}

/// The start of the program opens its own: no request waits for that, nor begins it once more where it has failed. A
/// tenant's is opened by the first request that wants it, and sleeps when nobody does.
asio::awaitable<Pool> ContextRepository::open_pool(missing database) const {
  const DbInstances& databases = state_.db_instances;
  const std::string_view name = tenants_database_.empty() ? own_database : tenants_database_;
  if (auto pool = databases.try_get_pool(name)) co_return *std::move(pool);
  if (!databases.health().started()) throw Error(errc::not_initialised, "the database is not open yet");
  if (!tenants_database_.empty() && database == missing::is_an_error && !exists(databases.db_path(name)))
    throw NoSuchDatabase();
  co_return co_await databases.get_pool(name);  // the service's own was open: says why it is not any more
}

asio::awaitable<bool> ContextRepository::put(const BlockKey& key, const std::string& context) const {
  const Pool pool = co_await open_pool(missing::is_made);
  const bool number = is_json_number(context);
  co_return co_await pool.write([&](Connection& db) {
    if (sql::replace_block(db, number, context, key.document, key.block).changes > 0) return false;
    sql::insert_block(db, key.document, key.block, number, context);
    return true;
  });
}

asio::awaitable<std::optional<std::string>> ContextRepository::get(const BlockKey& key) const {
  const Pool pool = co_await open_pool();
  co_return co_await sql::get_block(pool, key.document, key.block);
}

asio::awaitable<bool> ContextRepository::erase(const BlockKey& key) const {
  const Pool pool = co_await open_pool();
  const ExecuteResult result = co_await sql::erase_block(pool, key.document, key.block);
  co_return result.changes > 0;
}

asio::awaitable<BlockPage> ContextRepository::list(const BlockKey& start) const {
  const Pool pool = co_await open_pool();
  co_return co_await pool.read([&](Reader& db) {
    return collect(db, sql::blocks_behind(db, start.document, start.block, blocks_per_page + 1), blocks_per_page);
  });
}

asio::awaitable<Changes> ContextRepository::changes() const {
  const Pool pool = co_await open_pool();
  std::vector<std::string> tables(1, "context");
  co_return pool.changes(std::move(tables));
}

asio::awaitable<std::int64_t> ContextRepository::erase_document(const std::string& document) const {
  const Pool pool = co_await open_pool();
  const ExecuteResult result = co_await sql::erase_document(pool, document);
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
