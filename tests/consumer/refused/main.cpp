// What must not compile: every line that says "error:" is refused, with that in the message, and no other line is.

#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <future>
#include <statehouse/statehouse.hpp>
#include <string_view>
#include <variant>
#include <vector>

struct Label;
template <>
struct statehouse::value_traits<Label> {
  static std::string to_stored(const Label& label);
};

using statehouse::Connection;
using statehouse::Reader;
namespace asio = boost::asio;

template <class T>
asio::awaitable<T> coroutine(Reader& db) {
  co_return db.query_one<T>("SELECT 1");
}

struct Unknown {
  int a;
};
struct Label {  // stored as its text
  std::string text;
};
struct View {
  int a;
  std::string_view b;
};

asio::awaitable<void> values(statehouse::Pool pool, std::vector<View> views, std::vector<double> numbers) {
  co_await pool.execute("DELETE FROM t WHERE a = :a OR b = ?", statehouse::named(":a", 1), 2);  // error: give all values by name
  co_await pool.query_all<statehouse::by_name<Unknown>>("SELECT a FROM t");  // error: names of the fields are not known
  co_await pool.execute_many("INSERT INTO t VALUES (?, ?)", views);  // error: refers to what it does not own
  const auto list = statehouse::in(numbers);  // error: a list holds integers
  co_await pool.query_one<std::variant<int, bool>>("SELECT 1");  // error: kept in the same storage class
  co_await pool.write([&](Connection& db) { db.execute_many("INSERT INTO t VALUES (?, ?)", views); });
}

asio::awaitable<void> temporaries(statehouse::Pool pool) {
  auto tx = co_await pool.begin();
  auto lease = co_await pool.acquire(statehouse::writer);
  const auto label = Label{"x"};

  co_await pool.execute("INSERT INTO t VALUES (?)", Label{"x"});  // error: temporary aggregate twice
  co_await tx.execute("INSERT INTO t VALUES (?, ?)", 1, Label{"x"});  // error: temporary aggregate twice
  co_await lease.query_one<int>("SELECT a FROM t WHERE b = ? AND a = ?", Label{"x"}, 1);  // error: temporary aggregate twice
  co_await pool.execute_many("INSERT INTO t VALUES (?)", std::array<std::string, 1>{{"x"}});  // error: temporary aggregate twice
  co_await pool.execute("INSERT INTO t VALUES (?)", label);
  co_await pool.execute("INSERT INTO t VALUES (:a)", statehouse::named(":a", std::string("x")));
  co_await pool.write([](Connection& db) { db.execute("INSERT INTO t VALUES (?)", Label{"x"}); });
}

asio::awaitable<void> closures(statehouse::Pool pool) {
  auto tx = co_await pool.begin();
  auto lease = co_await pool.acquire(statehouse::writer);

  co_await pool.write(coroutine<int>);                       // error: runs later
  co_await pool.write_without_transaction(coroutine<long long>);  // error: runs later
  co_await lease.write(coroutine<long>);                     // error: runs later
  co_await tx.savepoint(coroutine<double>);                  // error: runs later
  co_await pool.read(coroutine<float>);                      // error: runs later
  co_await lease.read(coroutine<short>);                     // error: runs later
  auto future = [](Reader& db) { return std::async([&] { return db.query_one<int>("SELECT 1"); }); };
  co_await pool.read(future);  // error: runs later
  auto function = [](Connection& db) { return [&] { db.execute("DELETE FROM t"); }; };
  co_await pool.write(function);  // error: runs later
  asio::steady_timer timer(co_await asio::this_coro::executor);
  auto operation = [&](Connection&) { return timer.async_wait(asio::deferred); };
  co_await pool.write(operation);  // error: has not begun

  auto pointer = [](Connection& db) { return &db; };
  co_await pool.write(pointer);  // error: refers to
  auto text = [](Reader& db) { return std::string_view(db.query_one<std::string>("SELECT 'a'")); };
  co_await pool.read(text);  // error: refers to
  auto texts = [](Reader&) { return std::vector<std::string_view>(); };
  co_await pool.read(texts);  // error: refers to

  auto nested = [&](Connection& db) {
    db.savepoint([&] { return std::async([&] { db.execute("DELETE FROM t"); }); });  // error: runs later
  };
  co_await pool.write(nested);
  auto value = [](Connection& db) { return db.query_all<std::string>("SELECT 'a'"); };
  co_await pool.write(value);
  co_await std::move(tx).commit();
}
