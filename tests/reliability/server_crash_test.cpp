#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "raw_http.hpp"
#include "server_process.hpp"
#include "statehouse/testing/temp_dir.hpp"

// The whole program from outside: real processes, real signals, many clients.

namespace {

using namespace statehouse::test;
using statehouse::testing::TempDir;
using namespace std::chrono_literals;

constexpr int clients = 16;

std::string target(int key) {
  return "/documents/d" + std::to_string(key / 10) + "/blocks/b" + std::to_string(key % 10);
}
std::string body(int key) {
  return R"({"key":)" + std::to_string(key) + "}";
}

/// Clients that PUT keys one after the other until told to stop or cut off, and remember what was acknowledged.
class Load {
 public:
  explicit Load(unsigned short port, int last_key) : last_key_(last_key) {
    for (int i = 0; i < clients; ++i) threads_.emplace_back([this, port] { run(port); });
  }

  void wait_for(std::size_t acknowledged) {
    while (count() < acknowledged) std::this_thread::yield();
  }
  std::set<int> finish() {
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
    std::lock_guard lock(mutex_);
    return acknowledged_;
  }

 private:
  void run(unsigned short port) try {
    RawHttp client(port);
    for (int key = next_++; key < last_key_; key = next_++) {
      const int status = client.request("PUT", target(key), body(key)).status;
      if (status == 503) continue;  // it has waited for too long on a busy machine
      if (status >= 300) return;
      std::lock_guard lock(mutex_);
      acknowledged_.insert(key);
    }
  } catch (const std::exception&) {  // the server went away: what was not answered may be there or not
  }
  std::size_t count() {
    std::lock_guard lock(mutex_);
    return acknowledged_.size();
  }

  const int last_key_;
  std::atomic<int> next_{0};
  std::mutex mutex_;
  std::set<int> acknowledged_;
  std::vector<std::jthread> threads_;
};

std::size_t missing(const std::filesystem::path& file, const std::set<int>& keys) {
  const SQLite::Database database(file.string());
  SQLite::Statement find(database, "SELECT 1 FROM context WHERE document_id = ? AND block_id = ? AND context = ?");
  std::size_t count = 0;
  for (const int key : keys) {
    find.reset();
    find.bind(1, "d" + std::to_string(key / 10));
    find.bind(2, "b" + std::to_string(key % 10));
    find.bind(3, body(key));
    if (!find.executeStep()) ++count;
  }
  return count;
}

std::string quick_check(const std::filesystem::path& file) {
  SQLite::Database database(file.string(), SQLite::OPEN_READWRITE);
  return database.execAndGet("PRAGMA quick_check").getString();
}

}  // namespace

// clients                                  server
// 16 x PUT, remember each 2xx              writes, answers
// 1,000th answer has come    -- KILL -->   gone, in the middle of writes
//                                          restarted on the same directory
// GET every acknowledged key               answers
TEST_CASE("kill -9: every acknowledged write is there after a restart that nobody helped") {
  const TempDir dir;
  std::set<int> acknowledged;
  {
    ServerProcess server({"--data-dir", dir.path().string()});
    Load load(server.port(), 1'000'000);
    load.wait_for(1'000);
    server.kill(SIGKILL);
    server.wait(patience);
    acknowledged = load.finish();
  }
  CHECK(acknowledged.size() >= 1'000);

  ServerProcess restarted({"--data-dir", dir.path().string()});
  RawHttp client(restarted.port());
  std::size_t lost = 0;
  for (const int key : acknowledged) {
    const RawReply reply = client.request("GET", target(key));
    if (reply.status != 200 || reply.body != body(key)) ++lost;
  }
  CHECK(lost == 0);
  restarted.kill(SIGTERM);
  CHECK(restarted.wait(patience) == 0);
  CHECK(quick_check(dir / "context.db") == "ok");
}

// clients                                  server
// 16 x PUT, remember each 2xx              writes, answers
// 1,000th answer has come    -- TERM -->   stops accepting, answers what runs, closes
// cut off, or refused                      exit 0
TEST_CASE("SIGTERM under load: exit 0, every answered write present, no -wal and no -shm left") {
  const TempDir dir;
  ServerProcess server({"--data-dir", dir.path().string(), "--shutdown-timeout", "3600"});
  Load load(server.port(), 1'000'000);
  load.wait_for(1'000);
  server.kill(SIGTERM);
  CHECK(server.wait(patience) == 0);
  const std::set<int> acknowledged = load.finish();
  CHECK(acknowledged.size() >= 1'000);
  CHECK_FALSE(std::filesystem::exists(dir / "context.db-wal"));
  CHECK_FALSE(std::filesystem::exists(dir / "context.db-shm"));
  CHECK(missing(dir / "context.db", acknowledged) == 0);
  CHECK(quick_check(dir / "context.db") == "ok");
}
