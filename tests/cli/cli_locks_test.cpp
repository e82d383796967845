#include <SQLiteCpp/Database.h>
#include <catch2/catch_test_macros.hpp>

#include "../../tools/cli/arguments.hpp"
#include "../../tools/cli/database.hpp"
#include "neighbour.hpp"
#include "plain_database.hpp"
#include "recording_vfs.hpp"
#include "statehouse/testing/temp_dir.hpp"

// The connections of the tool, opened here so that their locks can be seen.

using namespace statehouse;
using namespace statehouse::test;
using statehouse::testing::TempDir;

// other process   opens ................................................ still has it open
// here                   writes 8 MB, closes    reads, closes
TEST_CASE(
    "beside another process the tool's connections never take the checkpoint lock, and readers not the write lock") {
  const TempDir dir;
  const Pipe started;
  Neighbour other([&] {
    const PlainDatabase database(dir / "x.db");
    database.execute("PRAGMA journal_mode = WAL; CREATE TABLE t(x)");
    started.tell();
    ::pause();
  });
  started.wait();
  const RecordingVfs vfs;
  cli::Arguments arguments;
  arguments.database = (dir / "x.db").string();
  int writer = 0;
  {
    Connection connection = cli::open_to_write(arguments, cli::database_file(arguments));
    writer = RecordingVfs::handle_of(connection.native().getHandle());
    for (int i = 0; i < 2000; ++i) connection.execute("INSERT INTO t VALUES (randomblob(4000))");
  }
  {
    Connection connection = cli::open_to_read(arguments, cli::database_file(arguments));
    CHECK(connection.query_one<int>("SELECT count(*) FROM t") == 2000);
  }
  int writes = 0;
  for (const RecordingVfs::Lock& lock : vfs.locks()) {
    CHECK_FALSE(lock.covers(RecordingVfs::checkpoint_slot));
    if (!lock.covers(RecordingVfs::write_slot)) continue;
    CHECK(lock.handle == writer);
    ++writes;
  }
  CHECK(writes >= 2000);  // the shim has seen what was to be seen
  CHECK(vfs.writes(writer) == 0);
  CHECK(other.kill());
}
