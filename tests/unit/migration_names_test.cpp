#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "migrate/source/file_name.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/testing/temp_dir.hpp"
#include "text/trim.hpp"

using namespace statehouse;
using namespace std::string_view_literals;

namespace {

void write(const std::filesystem::path& path, std::string_view content = "SELECT 1;") {
  std::ofstream(path, std::ios::binary) << content;
}

struct Name {
  std::string_view file;
  std::int64_t version;
  std::string_view description;
  migration_kind kind;
};

/// The text of the error that reading gives, empty when it gives none.
template <class Read>
std::string source_error(Read&& read) {
  try {
    read();
  } catch (const MigrationError& error) {
    CHECK(error.code() == errc::migration_source);
    return error.what();
  }
  return {};
}

std::string file_error(std::string_view name, std::string_view content) {
  const EmbeddedFile files[]{{name, content}};
  return source_error([&] { Migrator::from_files(files); });
}

}  // namespace

TEST_CASE("migration file names: version, description and direction are read as sqlx reads them") {
  using enum migration_kind;
  const Name names[]{
      {"1_a.sql", 1, "a", simple},
      {"20250101120000_create_users.up.sql", 20250101120000, "create users", up},
      {"20250101120000_create_users.down.sql", 20250101120000, "create users", down},
      {"0001_a.sql", 1, "a", simple},
      {"+7_a.sql", 7, "a", simple},
      {"-5_a.sql", -5, "a", simple},
      {"-0_a.sql", 0, "a", simple},
      {"+0_a.sql", 0, "a", simple},
      {"9223372036854775807_a.sql", INT64_MAX, "a", simple},
      {"-9223372036854775808_a.sql", INT64_MIN, "a", simple},
      {"000000000000000000000000000000009_a.sql", 9, "a", simple},
      {"1_.sql", 1, "", simple},
      {"1_.up.sql", 1, "", up},
      {"1__.sql", 1, " ", simple},
      {"1___a__b_.sql", 1, "  a  b ", simple},
      {"1_up.sql", 1, "up", simple},
      {"1_sql.sql", 1, "sql", simple},
      {"1_a.sql.sql", 1, "a", simple},
      {"1_a.up.sql.up.sql", 1, "a", up},
      {"1_a.down.sql.down.sql", 1, "a", down},
      {"1_a.up.down.sql", 1, "a.up", down},
      {"1_a.down.up.sql", 1, "a.down", up},
      {"1_a.up.sql.sql", 1, "a.up", simple},
      {"1_a.UP.sql", 1, "a.UP", simple},
      {"1_a.Down.sql", 1, "a.Down", simple},
      {"1_a.b.c.sql", 1, "a.b.c", simple},
      {"1_a b\tc.sql", 1, "a b\tc", simple},
      {"1_ a .sql", 1, " a ", simple},
      {"1_it's_\"q\"_%s.sql", 1, "it's \"q\" %s", simple},
      {"1_\xC3\xA9t\xC3\xA9.sql", 1, "\xC3\xA9t\xC3\xA9", simple},
      {"1_2_3.sql", 1, "2 3", simple},
      {"1_-.sql", 1, "-", simple},
      {"1_..sql", 1, ".", simple},
  };
  for (const Name& name : names) {
    INFO(name.file);
    const auto parsed = detail::parse_file_name(name.file);
    REQUIRE(parsed.has_value());
    CHECK(parsed->version == name.version);
    CHECK(parsed->description == name.description);
    CHECK(parsed->kind == name.kind);
  }
}

TEST_CASE("migration file names: other files are passed over, a name without a version is an error") {
  for (const auto name : {"", "_", "readme.md", "1_a.sql.bak", "1_a.SQL", "1_a.Sql", "1_a", "schema.sql", "1.sql",
                          ".sql", "x.up.sql", "1_a.sql ", "1_asql", "1-a.sql", "x_a.txt", "1_.sq"}) {
    INFO(name);
    CHECK_FALSE(detail::parse_file_name(name).has_value());
  }
  for (const auto name : {"_a.sql",
                          "x_a.sql",
                          "0x10_a.sql",
                          "1a_a.sql",
                          " 1_a.sql",
                          "1 _a.sql",
                          "+_a.sql",
                          "-_a.sql",
                          "--1_a.sql",
                          "+-1_a.sql",
                          "++1_a.sql",
                          "1.0_a.sql",
                          "1e3_a.sql",
                          "1,000_a.sql",
                          "V1_a.sql",
                          "9223372036854775808_a.sql",
                          "-9223372036854775809_a.sql",
                          "99999999999999999999_a.sql",
                          "\xEF\xBC\x91_x.sql",
                          "\xFF_x.sql",
                          "seed_data.sql",
                          "__a.sql"}) {
    INFO(name);
    const std::string text = source_error([&] { detail::parse_file_name(name); });
    CHECK(text.find("rename the file, or remove it") != std::string::npos);
  }
}

TEST_CASE("migration file names: random names never do anything but parse, pass or give the typed error") {
  const std::string alphabet = "01289+-_._.sqlupdownSQ \xC3\xA9\xFF/";
  std::uint32_t state = 20250101;
  int parsed = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string name;
    for (std::uint32_t left = (state >> 8) % 12; left > 0; --left) {
      state = state * 1664525u + 1013904223u;
      name += alphabet[(state >> 8) % alphabet.size()];
    }
    state = state * 1664525u + 1013904223u;
    if ((state >> 20) % 2 == 0) name += ".sql";
    source_error([&] { parsed += detail::parse_file_name(name).has_value(); });
  }
  CHECK(parsed > 0);
}

TEST_CASE("migrations: what cannot be run as it stands is an error when the set is read") {
  CHECK(file_error("1_a.sql", "SELECT 1;\n\0"sv).find("NUL byte in line 2") != std::string::npos);
  CHECK(file_error("1_a.sql", "\0"sv).find("NUL byte in line 1") != std::string::npos);
  CHECK(file_error("1_a.sql", "CREATE TABLE a(\0x);"sv).find("NUL byte in line 1") != std::string::npos);
  CHECK(file_error("1_a.sql", "-- it's\0"sv).find("NUL byte in line 1") != std::string::npos);
  CHECK(file_error("1_a.sql", "SELECT 'it''s'\0"sv).find("NUL byte in line 1") != std::string::npos);
  // SQLite itself refuses that statement when it runs, and so it is with sqlx.
  CHECK(file_error("1_a.sql", "SELECT 'a\0b';"sv).empty());
  for (const auto content : {"\xFF", "a\xC3", "\xC0\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                             "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "SELECT '\xE9t\xE9';"}) {
    INFO(content);
    CHECK(file_error("1_a.sql", content).find("not UTF-8 in line 1") != std::string::npos);
  }
  CHECK(file_error("1_a.sql", "\xEF\xBB\xBFSELECT '\xF0\x9F\xA6\x80';").empty());
}

TEST_CASE("migrations: two files for one version and direction are an error that names both") {
  const auto both = [](std::string_view first, std::string_view second) {
    const EmbeddedFile files[]{{first, ""}, {second, ""}};
    return source_error([&] { Migrator::from_files(files); });
  };
  for (const auto& [first, second] : {std::pair("1_a.sql", "1_b.sql"), std::pair("01_a.sql", "1_a.sql"),
                                      std::pair("1_a.sql", "1_a.up.sql"), std::pair("1_a.down.sql", "+1_b.down.sql")}) {
    const std::string text = both(first, second);
    INFO(text);
    CHECK(text.find(first) != std::string::npos);
    CHECK(text.find(second) != std::string::npos);
  }
  CHECK(both("1_a.sql", "1_b.down.sql").empty());
  CHECK(both("1_a.up.sql", "1_b.down.sql").empty());
}

TEST_CASE("migrations: a set is sorted by number, and names the .sql files it passed over") {
  const EmbeddedFile files[]{{"10_c.sql", "c"}, {"schema.sql", ""}, {"2_b.down.sql", ""}, {"2_b.up.sql", "b"},
                             {"-1_a.sql", "a"}, {"3_x.SQL", ""},    {"readme.md", ""}};
  const Migrator migrator = Migrator::from_files(files);
  std::vector<std::string> order;
  for (const Migration& migration : migrator.migrations()) order.push_back(migration.file);
  CHECK(order == std::vector<std::string>{"-1_a.sql", "2_b.up.sql", "2_b.down.sql", "10_c.sql"});
  CHECK(std::vector<std::string>(migrator.ignored().begin(), migrator.ignored().end()) ==
        std::vector<std::string>{"schema.sql", "3_x.SQL"});
}

TEST_CASE("migrations: no-transaction holds only for the very first bytes") {
  const auto alone = [](std::string_view content) {
    const EmbeddedFile files[]{{"1_a.sql", content}};
    const Migrator migrator = Migrator::from_files(files);
    return migrator.migrations()[0].no_transaction;
  };
  CHECK(alone("-- no-transaction"));
  CHECK(alone("-- no-transaction\r\nSELECT 1;"));
  CHECK(alone("-- no-transactional foo"));
  CHECK_FALSE(alone("\n-- no-transaction"));
  CHECK_FALSE(alone(" -- no-transaction"));
  CHECK_FALSE(alone("\xEF\xBB\xBF-- no-transaction"));
  CHECK_FALSE(alone("--no-transaction"));
  CHECK_FALSE(alone("-- NO-TRANSACTION"));
  CHECK_FALSE(alone("-- no-transactio"));
}

TEST_CASE("migrations: a directory and the same files in memory give the same set") {
  const testing::TempDir dir;
  const EmbeddedFile files[]{
      {"1_a.up.sql", "CREATE TABLE a(x);\r\n"}, {"1_a.down.sql", "DROP TABLE a;"}, {"2_b.sql", ""}};
  for (const auto& file : files) write(dir / file.name, file.content);
  const Migrator embedded = Migrator::from_files(files);
  const Migrator read = Migrator::from_directory(dir.path());
  REQUIRE(read.migrations().size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const Migration& a = read.migrations()[i];
    const Migration& b = embedded.migrations()[i];
    CHECK(a.version == b.version);
    CHECK(a.description == b.description);
    CHECK(a.kind == b.kind);
    CHECK(a.sql == b.sql);
    CHECK(a.checksum == b.checksum);
    CHECK(a.file == (dir / b.file).string());
  }
}

TEST_CASE("migrations: in a directory only files count, links are followed, a dangling one fails the whole read") {
  const testing::TempDir dir;
  write(dir / "real", "SELECT 2;");
  std::filesystem::create_symlink("real", dir / "1_link.sql");
  std::filesystem::create_directory(dir / "2_directory.sql");
  REQUIRE(::mkfifo((dir / "3_fifo.sql").c_str(), 0600) == 0);
  write(dir / "4_bad\xFF\xC3name.sql");
  const Migrator migrator = Migrator::from_directory(dir.path());
  REQUIRE(migrator.migrations().size() == 2);
  CHECK(migrator.migrations()[0].sql == "SELECT 2;");
  CHECK(migrator.migrations()[1].description == "bad\xEF\xBF\xBD\xEF\xBF\xBDname");

  std::filesystem::create_symlink("nowhere", dir / "notes.txt");
  const std::string text = source_error([&] { Migrator::from_directory(dir.path()); });
  CHECK(text.find("notes.txt") != std::string::npos);
  CHECK(text.find("dangling") != std::string::npos);
}

TEST_CASE("migrations: a directory that is none is an error that names it") {
  const testing::TempDir dir;
  write(dir / "file");
  for (const auto name : {"missing", "file"}) {
    const std::string text = source_error([&] { Migrator::from_directory(dir / name); });
    CHECK(text.find((dir / name).string()) != std::string::npos);
  }
}

TEST_CASE("migrations: the bookkeeping table must be a plain identifier") {
  const Migrator migrator = Migrator::from_files({});
  for (const auto name : {"_sqlx_migrations", "m", "Migrations_2"}) {
    const Migrator named = migrator.with_options({.table = name});
    CHECK(named.options().table == name);
  }
  for (const auto name :
       {"", "2m", "a b", "a;b", "a\"b", "main.m", "table", "ORDER", "sqlite_m", "SQLITE_x", "\xC3\xA9"}) {
    INFO(name);
    CHECK_THROWS_AS(migrator.with_options({.table = name}), Error);
  }
}

TEST_CASE("text: white space as Unicode has it is trimmed at both ends, nothing else is") {
  CHECK(detail::trim("\xC2\xA0\v\xE3\x80\x80"
                     "a b\xC2\xA0\xE2\x80\x83\n\v\n") == "a b");
  CHECK(detail::trim(" \t\r\n\f\v\xC2\x85\xE1\x9A\x80\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAF\xE2\x81\x9F").empty());
  CHECK(detail::trim("\xEF\xBB\xBF"
                     "a") ==
        "\xEF\xBB\xBF"
        "a");  // byte order mark
  CHECK(detail::trim("\xE2\x80\x8B"
                     "a") ==
        "\xE2\x80\x8B"
        "a");  // zero width space
  CHECK(detail::trim("").empty());
}
