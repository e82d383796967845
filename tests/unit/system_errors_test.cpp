#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "child_process.hpp"
#include "error_of.hpp"
#include "sanitized.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/fault_vfs.hpp"
#include "statehouse/testing/temp_dir.hpp"

// What the system refuses is said in its own words, with what to do.

using namespace statehouse;
using namespace statehouse::test;
using statehouse::testing::FaultVfs;
using statehouse::testing::TempDir;

namespace {

void set_limit(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  limit.rlim_cur = value;
  if (::setrlimit(resource, &limit) != 0) throw std::runtime_error("cannot set the limit");
}

/// The lowest descriptor that is free.
int free_descriptor() {
  const int descriptor = ::dup(STDERR_FILENO);
  ::close(descriptor);
  return descriptor;
}

}  // namespace

TEST_CASE("errors: too few file descriptors are named wherever they run out, and the next try may succeed") {
  if (sanitized) SKIP("the sanitizers need descriptors themselves");
  TempDir dir;
  Connection(dir / "x.db").execute("CREATE TABLE t(x)");
  bool opened = false;
  for (unsigned more = 0; more < 8; ++more) {
    const std::string said = in_child([&]() -> std::string {
      std::string error = "opened";
      set_limit(RLIMIT_NOFILE, static_cast<unsigned>(free_descriptor()) + more);
      try {
        Connection(dir / "x.db").execute("INSERT INTO t VALUES (1)");
      } catch (const Error& failure) {
        error = failure.what();
      }
      set_limit(RLIMIT_NOFILE, static_cast<unsigned>(free_descriptor()) + 20);
      Connection(dir / "x.db").execute("INSERT INTO t VALUES (1)");
      return error;
    });
    CAPTURE(more, said);
    if (said != "opened")
      CHECK(contains(said, "Too many open files: too many open files: raise the limit of this process (ulimit -n)"));
    if (opened) CHECK(said == "opened");
    opened = said == "opened";
  }
  CHECK(opened);
}

TEST_CASE("errors: too few descriptors for a new file, and for a backup, are named too") {
  if (sanitized) SKIP("the sanitizers need descriptors themselves");
  TempDir dir;
  Connection source(dir / "x.db");
  source.execute("CREATE TABLE t(x)");
  const auto without_descriptors = [](auto&& work) {
    return in_child([&]() -> std::string {
      set_limit(RLIMIT_NOFILE, static_cast<unsigned>(free_descriptor()));
      work();
      return "done";
    });
  };
  CHECK(contains(without_descriptors([&] { Connection(dir / "new.db"); }), "ulimit -n"));
  CHECK(contains(without_descriptors([&] { backup(source, dir / "copy.db"); }), "ulimit -n"));
}

TEST_CASE("errors: a file that may not grow is said with the limit, and works again without") {
  TempDir dir;
  const std::string said = in_child([&]() -> std::string {
    std::signal(SIGXFSZ, SIG_IGN);
    Connection db(dir / "x.db");
    db.execute("CREATE TABLE t(x)");
    set_limit(RLIMIT_FSIZE, 100'000);
    std::string error;
    try {
      db.execute("INSERT INTO t VALUES (randomblob(500000))");
    } catch (const Error& failure) {
      error = failure.what();
    }
    set_limit(RLIMIT_FSIZE, RLIM_INFINITY);
    db.execute("INSERT INTO t VALUES (1)");
    return error + (db.query_one<int>("SELECT count(*) FROM t") == 1 ? "; works again" : "; kept");
  });
  CAPTURE(said);
  CHECK(contains(said, "File too large: the file would be larger than allowed: raise the limit (ulimit -f)"));
  CHECK(said.ends_with("works again"));
}

TEST_CASE("errors: a full disk says that space is to be freed, and its statement is undone") {
  FaultVfs vfs;
  TempDir dir;
  Connection db(dir / "x.db");
  db.execute("CREATE TABLE t(x)");
  vfs.inject({.kind = FaultVfs::operation::write, .result = SQLITE_FULL, .lasting = true});
  const Error error = error_of([&] { db.execute("INSERT INTO t VALUES (randomblob(500000))"); });
  CHECK(error.code() == make_sqlite_error(SQLITE_FULL));
  CHECK(contains(error.what(), "the file system is full: free space there"));
  vfs.heal();
  db.execute("INSERT INTO t VALUES (1)");
  CHECK(db.query_one<int>("SELECT count(*) FROM t") == 1);
}

TEST_CASE("errors: what the disk says of reading and syncing comes with what to do") {
  FaultVfs vfs;
  TempDir dir;
  Connection db(dir / "x.db", {.synchronous = durability::full});
  db.execute("CREATE TABLE t(x)");
  for (const auto& [system, advised] :
       {std::pair{EIO, "see the kernel's log"}, {EDQUOT, "quota"}, {EROFS, "read-only"}}) {
    vfs.inject({.kind = FaultVfs::operation::sync, .result = SQLITE_IOERR_FSYNC, .system = system, .lasting = true});
    const Error error = error_of([&] { db.execute("INSERT INTO t VALUES (1)"); });
    vfs.heal();
    CAPTURE(error.what());
    CHECK(error.code() == make_sqlite_error(SQLITE_IOERR_FSYNC));
    CHECK(contains(error.what(), std::strerror(system)));
    CHECK(contains(error.what(), advised));
  }
}
