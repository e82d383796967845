#include "state/name_pattern.hpp"

#include <catch2/catch_test_macros.hpp>

#include "error_of.hpp"
#include "files.hpp"
#include "state/name_rules.hpp"
#include "statehouse/database_files.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {
namespace {

using detail::NamePattern;
using namespace std::string_literals;

bool pattern_matches(std::string_view pattern, std::string_view name) {
  return NamePattern::parse_or_throw(pattern).matches(name);
}

TEST_CASE("patterns: * is any part of one segment, ** is one segment or several") {
  // clang-format off
  for (const auto& [pattern, name] : std::vector<std::pair<std::string, std::string>>{
           {"x", "x"}, {"x.db", "x"}, {"*", "x"}, {"a*", "a"}, {"a*", "abc"}, {"*c", "abc"}, {"a*c", "ac"}, {"a*b*c", "aXbXbYc"},
           {"a*b*c", "abbc"}, {"*ab", "aab"}, {"t/*/s", "t/42/s"}, {"t/*", "t/42"}, {"*/*", "t/42"}, {"t/4*/s", "t/42/s"},
           {"t/*.db", "t/42"}, {"**", "x"}, {"**", "a/b/c"}, {"t/**", "t/a"}, {"t/**", "t/a/b"}, {"**/s", "t/s"},
           {"**/s", "a/b/s"}, {"a/**/s", "a/b/c/s"}, {"**/b/**", "a/b/c"}, {"**/**", "a/b"}, {"a**b", "axyb"}}) {
    CAPTURE(pattern, name);
    CHECK(pattern_matches(pattern, name));
  }
  for (const auto& [pattern, name] : std::vector<std::pair<std::string, std::string>>{
           {"x", "y"}, {"x", "x/y"}, {"*", "a/b"}, {"a*", "ba"}, {"*c", "cb"}, {"a*c", "acb"}, {"a*b*c", "acb"}, {"t/*/s", "t/s"},
           {"t/*/s", "t/a/b/s"}, {"t/*", "t"}, {"t/*", "t/a/b"}, {"t/**", "t"}, {"**/s", "s"}, {"a/**/s", "a/s"}, {"**/**", "a"},
           {"a**b", "a/b"}, {"T/*", "t/x"}}) {
    CAPTURE(pattern, name);
    CHECK_FALSE(pattern_matches(pattern, name));
  }
  // clang-format on
}

TEST_CASE("patterns: directories are looked into only where a name that matches may be") {
  const auto below = [](std::string_view pattern, std::string_view directory) {
    return NamePattern::parse_or_throw(pattern).matches_below(directory);
  };
  CHECK(below("t/*/s", "t"));
  CHECK(below("t/*/s", "t/42"));
  CHECK(below("**", "a/b"));
  CHECK(below("**/s", "a/b"));
  CHECK(below("a/**", "a/b"));
  CHECK_FALSE(below("t/*/s", "u"));
  CHECK_FALSE(below("t/*/s", "t/42/s"));
  CHECK_FALSE(below("*", "a"));
  CHECK_FALSE(below("a/**", "b"));
}

TEST_CASE("patterns: what no name could match is refused") {
  for (const std::string& pattern :
       {""s, "/"s, "/*"s, "*/"s, "a//*"s, "../*"s, "*/../x"s, ".*"s, "*.db/x"s, "*.db.db"s, "a b*"s, "*."s, "?"s,
        "[a]"s, "*.db-wal"s, "*/*/*/*/*/*/*/*/*"s, std::string(129, '*')}) {
    CAPTURE(pattern);
    CHECK(code_of([&] { NamePattern::parse_or_throw(pattern); }) == errc::invalid_name);
  }
}

TEST_CASE("patterns: of several that match the first counts, and one that is said again keeps its place") {
  detail::NameRules rules;
  const auto readers_of = [&](std::string_view name) {
    const auto options = rules.options_of(name);
    return options == nullptr ? 0 : options->readers;
  };
  const auto with_readers = [](unsigned count) {
    PoolOptions options;
    options.readers = count;
    return options;
  };
  rules.add_options(NamePattern::parse_or_throw("t/*/audit"), with_readers(1));
  rules.add_options(NamePattern::parse_or_throw("t/**"), with_readers(2));
  CHECK(readers_of("t/1/audit") == 1);
  CHECK(readers_of("t/1/state") == 2);
  CHECK(readers_of("x") == 0);
  CHECK(rules.options_of("t/1/state") == rules.options_of("t/2/state"));  // one for all
  rules.add_options(NamePattern::parse_or_throw("t/*/audit"), with_readers(3));
  CHECK(readers_of("t/1/audit") == 3);
}

TEST_CASE("find_databases: files by name, and nothing else that lies in the directory") {
  namespace fs = std::filesystem;
  const testing::TempDir dir;
  const testing::TempDir elsewhere;
  for (const char* directory : {"t/1", "t/2", "backups", "x.db", "lost+found", "t/1/x.db-wal"})
    fs::create_directories(dir / directory);
  for (const char* file :
       {"a.db", "a.db-wal", "b.txt", ".hidden.db", "-c.db", "t/1/state.db", "t/1/dev_state.db", "t/2/state.db",
        "t/2/other.db", "x.db/y.db", "lost+found/z.db", "dev_a.db", "backups/a.db.20260101T000000Z.backup"})
    write_file(dir / file, "x");
  fs::create_symlink(dir / "a.db", dir / "link.db");
  write_file(elsewhere / "far.db", "x");
  fs::create_directory_symlink(elsewhere.path(), dir / "away");
  using Names = std::vector<std::string>;
  CHECK(find_databases(dir.path()) == Names{"a", "dev_a", "t/1/dev_state", "t/1/state", "t/2/other", "t/2/state"});
  CHECK(find_databases(dir.path(), "t/*/state") == Names{"t/1/state", "t/2/state"});
  CHECK(find_databases(dir.path(), "*") == Names{"a", "dev_a"});
  CHECK(find_databases(dir.path(), "t/1/state") == Names{"t/1/state"});
  CHECK(find_databases(dir.path(), "**", "dev") == Names{"a", "t/1/state"});
  CHECK(find_databases(dir / "none").empty());
  CHECK(code_of([&] { find_databases(dir / "a.db"); }) == boost::system::errc::not_a_directory);
  CHECK(code_of([&] { find_databases(dir.path(), "../*"); }) == errc::invalid_name);
  CHECK(code_of([&] { find_databases(dir.path(), "*", "../"); }) == errc::invalid_name);
}

}  // namespace
}  // namespace statehouse::test
