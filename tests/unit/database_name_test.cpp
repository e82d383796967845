#include "statehouse/database_name.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "error_of.hpp"

using namespace statehouse;
using namespace std::string_literals;
using test::contains;
using test::error_of;

namespace {

/// Each tries to leave the directory, to mean another file, to speak to SQLite's URI parser, a shell or a terminal, or
/// to look like a name that it is not.
// clang-format off
const std::vector<std::string> hostile{
    "", " ", ".", "..", "...", "/", "\\", "../x", "..\\x", "x/..", "x/../y", "./x", "/etc/passwd", "a//b", "a\\b", "C:\\x",
    "x/", "~", "~/x", ".hidden", "-x", "_x", "x..y", "..x", "x..", "x.", "x. ", "x ", " x", "x\t", "x\n", "\nx", "\0"s,
    "x\0"s, "x\0y"s, "x\0.db"s, "x.db\0"s, "x?mode=memory", "?mode=memory", "x.db?mode=memory", "file:x", "file:x.db",
    "file::memory:", ":memory:", "x:y", "x#y", "x%2e%2e", "%2e%2e", "%2e%2e%2fx", "%00", "x&y", "x=y", "x;y", "x'y", "x\"y",
    "x`y", "x$y", "$(x)", "x|y", "x>y", "x<y", "x*y", "x@y", "x,y", "x+y", "x(y)", "x[y]", "x{y}", "x!y", "x^y", "x\x7f",
    "x\x1b[2J", "x\r", "x.db-wal", "x.db-shm", "x.db-journal", "x.db-wal.db", ".db", "..db", "a.db.db", ".db.db",
    "caf\xc3\xa9",            // é
    "\xd0\xb0",               // Cyrillic а
    "x\xe2\x80\xa4x",         // one dot leader
    "x\xef\xbc\x8fy",         // fullwidth solidus
    "x\xe2\x80\x8by",         // zero width space
    "\xe2\x80\xaex",          // right-to-left override
    "x\xc0\xae\xc0\xae",      // overlong ".."
    "\xff", "x\x80",
    std::string(65, 'a'), std::string(65, 'a') + ".db", std::string(300, 'a'), std::string(1'000'000, 'a'),
    "/x", "a/", "a/.db", "a/b/", "//", "a/../b", "a/./b", "a/.b", "a/-b", "a/b.", "a./b", "a/b..c", "a..b/c", ".a/b",
    "a/b.db.db", "a.db/b", "a.db/b.db", "a/b.db/c", "a.db-wal/b", "a.db-shm/b", "a.db-journal/b", "a/b.db-wal",
    "a/b\0c"s, "a/\0"s, "a/b c", "a /b", "a/b\\c", "a/:memory:", "a/b?x", "1/2/3/4/5/6/7/8/9",
    std::string(65, 'a') + "/b", "a/" + std::string(65, 'b'),
    std::string(64, 'a') + '/' + std::string(64, 'b'),  // 129 bytes
};
// clang-format on

}  // namespace

TEST_CASE("DatabaseName: hostile names are refused") {
  CHECK(hostile.size() >= 60);
  for (const std::string& name : hostile) {
    CAPTURE(name);
    CHECK_FALSE(DatabaseName::parse(name).has_value());
    const Error error = error_of([&] { DatabaseName::parse_or_throw(name); });
    CHECK(error.code() == errc::invalid_name);
    CHECK(contains(error.what(), "A-Z a-z 0-9 . _ -"));
  }
}

TEST_CASE("DatabaseName: names of the grammar are accepted") {
  for (const std::string& name :
       {"x"s, "X"s, "0"s, "context"s, "a.b"s, "a-b"s, "a_b"s, "a--b__c.d"s, "2024-01"s, "x-wal"s, "x.DB"s, "x.db.bak"s,
        "dbx"s, "db"s, "memory"s, "CON"s, std::string(64, 'z')}) {
    CAPTURE(name);
    const auto parsed = DatabaseName::parse(name);
    REQUIRE(parsed);
    CHECK(parsed->view() == name);
    CHECK(parsed->file_name("") == name + ".db");
    CHECK(DatabaseName::parse_or_throw(name).view() == name);
  }
}

TEST_CASE("DatabaseName: segments with / between them are directories, and the last a file") {
  for (const std::string& name :
       {"a/b"s, "tenants/42/state"s, "1/2/3/4/5/6/7/8"s, "x.d/y.d"s, "a/a"s, "a.DB/b"s,
        "t/550e8400-e29b-41d4-a716-446655440000/state"s, std::string(63, 'a') + '/' + std::string(64, 'b')}) {
    CAPTURE(name);
    const auto parsed = DatabaseName::parse(name);
    REQUIRE(parsed);
    CHECK(parsed->view() == name);
    CHECK(parsed->file_name("") == name + ".db");
    CHECK(parsed->directory() == name.substr(0, name.rfind('/')));
    CHECK(parsed->leaf() == name.substr(name.rfind('/') + 1));
    CHECK(DatabaseName::parse(name + ".db")->view() == name);
    CHECK_FALSE(DatabaseName::parse_segment(name).has_value());
  }
  CHECK(DatabaseName::parse("x")->directory().empty());
  CHECK(DatabaseName::parse("x")->leaf() == "x");
  CHECK(DatabaseName::parse_segment("x.db")->view() == "x");
}

TEST_CASE("DatabaseName: no directory of one database is the file of another, or one of its sidecars") {
  // x is x.db, and may have x.db-wal beside it: x/y is x/y.db, so they never meet.
  for (const std::string& directory : {"x.db"s, "x.db-wal"s, "x.db-shm"s, "x.db-journal"s}) {
    CHECK_FALSE(DatabaseName::parse(directory + "/y").has_value());
    CHECK_FALSE(DatabaseName::parse("a/" + directory + "/y").has_value());
  }
  CHECK(DatabaseName::parse("x/y")->file_name("") == "x/y.db");
  CHECK(DatabaseName::parse("x")->file_name("") == "x.db");
}

TEST_CASE("DatabaseName: x and x.db are the same database") {
  CHECK(DatabaseName::parse("x.db")->view() == "x");
  CHECK(DatabaseName::parse("x.db")->file_name("") == "x.db");
  CHECK(DatabaseName::parse("a.b.db")->view() == "a.b");
  const std::string longest(64, 'a');
  CHECK(DatabaseName::parse(longest + ".db")->view() == longest);
}

TEST_CASE("DatabaseName: what view() gives means the same database again") {
  for (const std::string name : {"x", "x.db", "a.b", "a.b.db", "x.DB"}) {
    const auto parsed = DatabaseName::parse(name);
    REQUIRE(parsed);
    CHECK(DatabaseName::parse(parsed->view())->view() == parsed->view());
    CHECK(DatabaseName::parse(parsed->file_name(""))->view() == parsed->view());
  }
}

TEST_CASE("DatabaseName: the message repeats a name only as far as it is printable and short") {
  const auto message = [](const std::string& name) {
    return std::string(error_of([&] { DatabaseName::parse_or_throw(name); }).what());
  };
  CHECK(contains(message("../x"), "'../x'"));
  CHECK(contains(message("a\nb\x1b[2J\xe2\x80\xae"), "'a?b?[2J??\?'"));
  CHECK(contains(message("\0x"s), "'?x'"));
  CHECK(contains(message(std::string(300, 'a')), std::string(80, 'a') + "...'"));
  CHECK_FALSE(contains(message(std::string(300, 'a')), std::string(81, 'a')));
}

TEST_CASE("DatabaseName: a development prefix gives another file and follows the same grammar") {
  const auto name = DatabaseName::parse_or_throw("context.db");
  CHECK(name.file_name("dev") == "dev_context.db");
  CHECK(name.file_name("") == "context.db");
  CHECK(DatabaseName::parse_or_throw("tenants/42/state").file_name("dev") == "tenants/42/dev_state.db");
  for (const std::string& prefix : {""s, "dev"s, "a.b-c_d"s, std::string(32, 'p')}) CHECK_NOTHROW(check_prefix(prefix));
  for (const std::string& prefix : {"."s, ".."s, "../"s, "/"s, "a/b"s, "_x"s, "-x"s, "x "s, "x."s, "x\0"s, "file:"s,
                                    "d\xc3\xa9v"s, std::string(33, 'p')}) {
    CAPTURE(prefix);
    CHECK(test::code_of([&] { check_prefix(prefix); }) == errc::invalid_name);
  }
}
