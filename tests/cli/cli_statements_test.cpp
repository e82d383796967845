#include <catch2/catch_test_macros.hpp>

#include "../../tools/cli/statements.hpp"
#include "plain_database.hpp"
#include "statehouse/testing/temp_dir.hpp"

using statehouse::cli::Statements;
using namespace statehouse::test;
using statehouse::testing::TempDir;

// SQLite copies as much as it is given the length of, and refuses that where it is longer than a statement may be.
TEST_CASE("statements: each is compiled without a look at those after it, so that long scripts take no squared time") {
  const TempDir directory;
  const PlainDatabase database(directory / "x.db");
  database.execute("CREATE TABLE a(x)");
  sqlite3_limit(database.handle(), SQLITE_LIMIT_SQL_LENGTH, 100);
  std::string script;
  for (int i = 0; i < 1000; ++i) script += "INSERT INTO a VALUES (1);\n";
  Statements statements(database.handle(), script);
  int count = 0;
  for (; statements.next(); ++count) statements.run();
  CHECK(count == 1000);
  CHECK(database.scalar("SELECT count(*) FROM a") == 1000);
}
