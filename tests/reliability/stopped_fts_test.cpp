// SQLite's own extensions, stopped at moments of chance.

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch_get_random_seed.hpp>
#include <random>

#include "state_support.hpp"

namespace statehouse::test {
namespace {

/// One caller writes to an FTS5 table in a shared commit and is cancelled at some moment, others write beside him.
struct Crowd {
  ThreadedApp& app;
  const Pool pool;
  std::mt19937 random;
  std::int64_t committed = 0;  // by the victims, rows
  std::int64_t innocent = 0;

  asio::awaitable<void> round(int number) {
    const auto executor = co_await asio::this_coro::executor;
    asio::cancellation_signal signal;
    std::promise<std::exception_ptr> ended;
    std::future<std::exception_ptr> victim = ended.get_future();
    const auto work = [](Connection& db) {
      for (int i = 0; i < 30; ++i) db.execute("INSERT INTO ft VALUES (hex(randomblob(60)) || ' word' || ?)", i);
      db.query_one<int>("SELECT count(*) FROM ft WHERE ft MATCH 'word7'");
    };
    auto gate = co_await pool.begin();
    std::vector<std::future<void>> others;
    for (int i = 0; i < 6; ++i) {
      if (i == 2)
        asio::co_spawn(
            executor, pool.write(work, {.group_commit = true}),
            asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error) { ended.set_value(error); }));
      others.push_back(app.spawn(insert(number * 10 + i)));
    }
    co_await asio::post(executor, asio::use_awaitable);
    co_await std::move(gate).rollback();
    asio::steady_timer timer(executor, std::chrono::microseconds(random() % 1500));
    co_await timer.async_wait(asio::use_awaitable);
    signal.emit(asio::cancellation_type::terminal);
    while (victim.wait_for(0s) != std::future_status::ready) co_await asio::post(executor, asio::use_awaitable);
    judge(victim.get());
    for (auto& one : others) {
      while (one.wait_for(0s) != std::future_status::ready) co_await asio::post(executor, asio::use_awaitable);
      CHECK_NOTHROW(one.get());
      ++innocent;
    }
  }
  asio::awaitable<void> insert(int value) { co_await pool.execute("INSERT INTO ok VALUES (?)", value); }
  void judge(const std::exception_ptr& error) {
    try {
      if (error != nullptr) std::rethrow_exception(error);
      committed += 30;
    } catch (const boost::system::system_error& stopped) {
      CHECK(stopped.code() == asio::error::operation_aborted);
    }
  }
};

TEST_CASE("stops: whenever an FTS5 write in a shared commit is cancelled, nobody else fails, and it keeps nothing") {
  ThreadedApp app({}, 1);  // one thread: a signal is not for several
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  Crowd crowd{app, app.open("x"), std::mt19937(seed)};
  app.run(crowd.pool.execute("CREATE VIRTUAL TABLE ft USING fts5(body)"));
  app.run(crowd.pool.execute("CREATE TABLE ok(n)"));
  for (int i = 0; i < 60; ++i) app.run(crowd.round(i));
  CHECK(app.run(crowd.pool.query_one<std::int64_t>("SELECT count(*) FROM ft")) == crowd.committed);
  CHECK(app.run(crowd.pool.query_one<std::int64_t>("SELECT count(*) FROM ok")) == crowd.innocent);
  CHECK(app.run(crowd.pool.query_one<std::string>("PRAGMA integrity_check")) == "ok");
  CHECK(app.log.count("ROLLBACK failed") == 0);
  CHECK(crowd.pool.stats().writer.replaced == 0);
  CHECK(app.run(app.state->shutdown()).clean());
}

}  // namespace
}  // namespace statehouse::test
