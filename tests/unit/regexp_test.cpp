#include "regexp/function.hpp"

#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "error_of.hpp"
#include "regexp/charset.hpp"
#include "regexp/translator.hpp"
#include "statehouse/error.hpp"

using namespace statehouse;
using test::contains;
using test::error_of;

namespace {

/// An in-memory database with REGEXP and nothing else of ours.
class RegexpDatabase {
 public:
  RegexpDatabase() {
    REQUIRE(sqlite3_open(":memory:", &db_) == SQLITE_OK);
    detail::register_regexp(db_, 0);
    execute("PRAGMA trusted_schema = OFF");
  }
  ~RegexpDatabase() { sqlite3_close_v2(db_); }
  RegexpDatabase(const RegexpDatabase&) = delete;
  RegexpDatabase& operator=(const RegexpDatabase&) = delete;

  sqlite3* handle() const noexcept { return db_; }

  /// The error's text, empty when there is none.
  std::string try_execute(const std::string& sql) {
    return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK ? "" : sqlite3_errmsg(db_);
  }
  void execute(const std::string& sql) { REQUIRE(try_execute(sql) == ""); }

  /// The first column of the first row as text, "NULL", or the error; texts are bound to ?1, ?2, ...
  std::string value(const std::string& sql, const std::vector<std::string_view>& texts = {}) {
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
    for (std::size_t i = 0; i < texts.size(); ++i)
      sqlite3_bind_text64(statement, static_cast<int>(i + 1), texts[i].data(), texts[i].size(), SQLITE_STATIC,
                          SQLITE_UTF8);
    std::string result;
    if (sqlite3_step(statement) != SQLITE_ROW)
      result = sqlite3_errmsg(db_);
    else if (sqlite3_column_type(statement, 0) == SQLITE_NULL)
      result = "NULL";
    else
      result = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return result;
  }

  std::string match(std::string_view text, std::string_view pattern) {
    return value("SELECT ?1 REGEXP ?2", {text, pattern});
  }

 private:
  sqlite3* db_ = nullptr;
};

std::string repeated(std::string_view unit, std::size_t count) {
  std::string text;
  text.reserve(unit.size() * count);
  for (std::size_t i = 0; i < count; ++i) text += unit;
  return text;
}

struct Expectation {
  std::string_view pattern;
  std::vector<std::string_view> found_in;
  std::vector<std::string_view> not_found_in;
};

void check(const std::vector<Expectation>& expectations) {
  RegexpDatabase db;
  for (const auto& [pattern, found_in, not_found_in] : expectations) {
    for (const auto text : found_in) {
      INFO(pattern << " in " << text);
      CHECK(db.match(text, pattern) == "1");
    }
    for (const auto text : not_found_in) {
      INFO(pattern << " not in " << text);
      CHECK(db.match(text, pattern) == "0");
    }
  }
}

/// The message, without the pattern that it names.
std::string refusal(RegexpDatabase& db, std::string_view pattern) {
  std::string message = db.match("a", pattern);
  INFO(pattern.substr(0, 60) << " -> " << message);
  CHECK(message.starts_with("REGEXP '"));
  const auto end = message.rfind("': ");
  return end == message.npos ? message : message.substr(end + 3);
}

}  // namespace

TEST_CASE("REGEXP: a pattern is found anywhere in the text") {
  check({{"b", {"abc", "b"}, {"", "ac"}},
         {"", {"", "abc"}, {}},
         {"^b", {"bc"}, {"abc", "a\nb"}},
         {"b$", {"ab"}, {"abc", "b\n"}},
         {"(?m)^b$", {"a\nb\nc"}, {"a\nbc"}},
         {"a.c", {"abc", "aéc", "a\rc"}, {"a\nc"}},
         {"(?s)a.c", {"a\nc"}, {"ac"}}});
}

TEST_CASE("REGEXP: NULL and everything that is not TEXT gives NULL") {
  RegexpDatabase db;
  for (const char* expression :
       {"NULL REGEXP 'a'", "'a' REGEXP NULL", "NULL REGEXP NULL", "5 REGEXP '5'", "'5' REGEXP 5", "1.5 REGEXP '1.5'",
        "x'61' REGEXP 'a'", "'a' REGEXP x'61'", "zeroblob(3) REGEXP ''"}) {
    INFO(expression);
    CHECK(db.value(std::string("SELECT ") + expression) == "NULL");
  }
  CHECK(contains(db.value("SELECT NULL REGEXP '['"), "unclosed character class"));
}

TEST_CASE("REGEXP: an invalid pattern is an error that names the pattern and the reason") {
  RegexpDatabase db;
  CHECK(db.match("a", "x[ab") == "REGEXP 'x[ab': unclosed character class at character 2");
  CHECK(db.match("a", "é(b") == "REGEXP 'é(b': unclosed group at character 2");
  CHECK(db.match("a", "\\p{Klingon}") == "REGEXP '\\p{Klingon}': unknown Unicode class \\p{Klingon}");
  const std::string long_pattern = repeated("abcdefgh", 100) + "[";
  const std::string message = db.match("a", long_pattern);
  CHECK(message.starts_with("REGEXP 'abcdefgh"));
  CHECK(contains(message, "...': unclosed character class at character 801"));
  CHECK(message.size() < 300);
  CHECK(contains(db.match("a", std::string_view("a\0b\n[", 5)), "REGEXP 'a b [': unclosed"));
}

TEST_CASE("REGEXP: the error ends the statement and leaves the connection usable") {
  RegexpDatabase db;
  db.execute("CREATE TABLE t(a); INSERT INTO t VALUES ('x'), ('y')");
  CHECK(contains(db.try_execute("DELETE FROM t WHERE a REGEXP '('"), "unclosed group"));
  CHECK(db.value("SELECT count(*) FROM t WHERE a REGEXP '[xy]'") == "2");
}

TEST_CASE("REGEXP: invalid UTF-8 in either operand is an error that names the pattern") {
  RegexpDatabase db;
  const std::vector<std::string_view> broken{"\xff",
                                             "\x80",
                                             "\xc3",
                                             "\xc0\xaf",
                                             "\xe0\x80\xaf",
                                             "\xed\xa0\x80",
                                             "\xf4\x90\x80\x80",
                                             "\xf0\x9f\xa6",
                                             "\xf8\x88\x80\x80\x80"};
  for (const auto bytes : broken) {
    for (const std::size_t lead : {0U, 3U, 7U, 8U, 20U}) {
      const std::string text = std::string(lead, 'a') + std::string(bytes) + "a";
      INFO("lead " << lead);
      CHECK(db.match(text, "a+") == "REGEXP 'a+': the text is not valid UTF-8 at byte " + std::to_string(lead + 1));
      CHECK(db.match("a", text) == "REGEXP '" + std::string(lead, 'a') + "': the pattern is not valid UTF-8 at byte " +
                                       std::to_string(lead + 1));
    }
  }
  CHECK(db.match("\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", "^...$") == "1");
}

TEST_CASE("REGEXP: NUL bytes in text and pattern are characters like any other") {
  RegexpDatabase db;
  using namespace std::string_view_literals;
  CHECK(db.match("a\0b"sv, "b$") == "1");
  CHECK(db.match("a\0b"sv, "a.b") == "1");
  CHECK(db.match("a\0b"sv, "a\0b"sv) == "1");
  CHECK(db.match("a\0b"sv, "^a\\x00b$") == "1");
  CHECK(db.match("ab", "a\0b"sv) == "0");
  CHECK(db.match("a\0c"sv, "a[\0]c"sv) == "1");
}

TEST_CASE("REGEXP: patterns that explode elsewhere take linear time on long subjects") {
  RegexpDatabase db;
  const std::string long_a = repeated("a", 1 << 20);
  for (const char* pattern :
       {"(a+)+$", "(a|aa)+$", "^(a*)*$", "^(a?){20}a{20}b", "(.*)(.*)(.*)(.*)[^a]$", "(x+x+)+y|b$"}) {
    INFO(pattern);
    CHECK(db.match(long_a + "!", pattern) == (std::string_view(pattern).ends_with("[^a]$") ? "1" : "0"));
  }
  CHECK(db.match(long_a, "^(.|..)+$Z") == "0");
  CHECK(db.match(long_a, "(a+)+$") == "1");
}

TEST_CASE("REGEXP: a subject of 1 MB is searched to its end") {
  RegexpDatabase db;
  const std::string text = repeated("0123 äöü ∂ 🦀 ", 1 << 16);
  CHECK(text.size() > (1U << 20));
  CHECK(db.match(text + "needle", "\\bneedle$") == "1");
  CHECK(db.match(text, "\\w{5}") == "0");
  CHECK(db.match(text + "Ω", "(?i)ω$") == "1");
}

TEST_CASE("REGEXP: many alternatives match, and too many are refused") {
  RegexpDatabase db;
  const auto alternatives = [](int count) {
    std::string pattern = "^(?:w0";
    for (int i = 1; i < count; ++i) pattern += "|w" + std::to_string(i);
    return pattern + ")$";
  };
  CHECK(db.match("w8999", alternatives(9000)) == "1");
  CHECK(db.match("w9000", alternatives(9000)) == "0");
  CHECK(refusal(db, alternatives(100'000)) == "the pattern is longer than 65536 bytes");
  CHECK(db.match(repeated("x", 65535), repeated("x", 65536)) == "0");
}

TEST_CASE("REGEXP: deep nesting is refused, not followed") {
  RegexpDatabase db;
  for (const char* unit : {"(", "(?:", "(?i:", "[", "[^", "(a|"}) {
    const std::size_t count = 60'000 / std::string_view(unit).size();
    CHECK(contains(refusal(db, repeated(unit, count)), "nested too deeply"));
    CHECK(contains(refusal(db, repeated(unit, 100'000)), "longer than 65536 bytes"));
  }
  CHECK(contains(refusal(db, "a" + repeated("*", 60'000)), "nested too deeply"));
  CHECK(contains(refusal(db, repeated("(", 30'000) + "a" + repeated(")*", 15'000)), "nested too deeply"));
  CHECK(db.match("a", repeated("(", 200) + "a" + repeated(")", 200)) == "1");
  CHECK(db.match("a", repeated("[", 200) + "a" + repeated("]", 200)) == "1");
  CHECK(db.match("aa", "^" + repeated("(?:", 100) + "a" + repeated(")+", 100) + "$") == "1");
}

TEST_CASE("REGEXP: patterns that grow when written out are refused before they do") {
  RegexpDatabase db;
  for (const auto& pattern :
       {std::string("((a{100}){100}){100}"), std::string("\\w{1000}"), std::string("a{4294967295}"),
        repeated("\\w", 30'000), repeated("a{0,1000}", 7'000), std::string("[a&&b]{4294967295}"),
        std::string("(){4294967295}"), repeated("(", 200) + "a" + repeated("){2,}", 200),
        repeated("(", 200) + "a" + repeated("){1,2}", 200)}) {
    CHECK(refusal(db, pattern) == "the pattern is too large when its repetitions and classes are written out");
  }
  CHECK(contains(refusal(db, "a{4294967296}"), "a repetition count is too large"));
  CHECK(refusal(db, repeated(".", 65'536)) == "the compiled pattern would exceed 8 MiB");
  CHECK(contains(refusal(db, "[" + repeated("\\w~~", 10'000) + "a]"), "too"));
}

TEST_CASE("REGEXP: neighbouring repetitions compile in linear time") {
  // RE2 joins x{0,1000}x{0,1000} into x{0,2000} and then takes quadratic time: together beyond the suite's time limit.
  RegexpDatabase db;
  for (const char letter : std::string_view("abcdefgh")) {
    CHECK(db.match("!", repeated(std::string(1, letter) + "{0,1000}", 99)) == "1");
    CHECK(db.match("!", repeated(std::string(1, letter) + "?", 30'000)) == "1");
  }
}

TEST_CASE("REGEXP: works in every part of a schema that is not trusted") {
  RegexpDatabase db;
  db.execute(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT CHECK (name REGEXP '^\\w+$'),"
      " is_word INT GENERATED ALWAYS AS (name REGEXP '^\\pL+$') STORED)");
  db.execute("CREATE INDEX expression ON t(name REGEXP '\\d')");
  db.execute("CREATE INDEX partial ON t(id) WHERE name REGEXP '^x'");
  db.execute("CREATE VIEW numbered AS SELECT * FROM t WHERE name REGEXP '\\d'");
  db.execute(
      "CREATE TRIGGER no_zero BEFORE INSERT ON t WHEN new.name REGEXP '0' BEGIN SELECT raise(ABORT, 'zero'); END");
  db.execute("INSERT INTO t(name) VALUES ('élan'), ('x1'), (NULL)");
  CHECK(contains(db.try_execute("INSERT INTO t(name) VALUES ('a b')"), "CHECK constraint failed"));
  CHECK(db.try_execute("INSERT INTO t(name) VALUES ('a0')") == "zero");
  CHECK(db.value("SELECT group_concat(is_word) FROM t") == "1,0");
  CHECK(db.value("SELECT name FROM numbered") == "x1");
  CHECK(db.value("SELECT name FROM t INDEXED BY expression WHERE (name REGEXP '\\d') = 1") == "x1");
  CHECK(db.value("SELECT name FROM t INDEXED BY partial WHERE name REGEXP '^x'") == "x1");
}

TEST_CASE("REGEXP: a constant pattern is compiled once per statement") {
  // \w takes about 1 ms to compile, so that compiling it for each row would exceed the suite's time limit.
  RegexpDatabase db;
  const std::string rows =
      "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
      " SELECT count(*) FROM n WHERE ('row ' || i) REGEXP ";
  CHECK(db.value(rows + "'^\\w+ 1+$'") == "6");
  CHECK(db.value(rows + "?1", {"^\\w+ 1+$"}) == "6");
}

TEST_CASE("REGEXP: a pattern that differs per row is compiled for each row") {
  RegexpDatabase db;
  db.execute("CREATE TABLE p(pattern); INSERT INTO p VALUES ('a'), ('^b'), ('c$'), (NULL), (5), ('[a-c]')");
  CHECK(db.value("SELECT group_concat(ifnull('abc' REGEXP pattern, 'n'), '') FROM p") == "101nn1");
}

TEST_CASE("REGEXP: a refused registration is an Error with SQLite's code") {
  RegexpDatabase db;
  sqlite3_stmt* running = nullptr;
  REQUIRE(sqlite3_prepare_v2(db.handle(), "SELECT 1 UNION ALL SELECT 2", -1, &running, nullptr) == SQLITE_OK);
  REQUIRE(sqlite3_step(running) == SQLITE_ROW);
  const Error error = error_of([&] { detail::register_regexp(db.handle(), 0); });
  sqlite3_finalize(running);
  CHECK(error.code() == condition::busy);
  CHECK(contains(error.what(), "cannot register REGEXP"));
}

TEST_CASE("REGEXP: perl classes are Unicode-aware, alone and in brackets") {
  check({{"^\\d$", {"5", "٣"}, {"a", "Ⅷ"}},
         {"^\\D$", {"a", "Ⅷ"}, {"5", "٣"}},
         {"^\\s$", {" ", "\v", "\u2003", "\u0085", "\u3000"}, {"a", "\u200b"}},
         {"^\\S$", {"a", "\u200b"}, {" ", "\v", "\u2003"}},
         {"^\\w$", {"a", "é", "_", "٣", "Ⅷ", "\u0301", "\u200c", "\u200d", "ⓐ", "漢"}, {"-", " ", "½", "€"}},
         {"^\\W$", {"-", " ", "½", "€"}, {"a", "é", "_", "ⓐ"}},
         {"^[\\d.]$", {"٣", "."}, {"a"}},
         {"^[^\\d.]$", {"a", "\n"}, {"٣", "."}},
         {"^[\\W\\d]$", {"-", "7"}, {"a", "é", "_"}},
         {"^[^\\W\\d_]$", {"a", "é", "漢"}, {"7", "_", "-", "٣"}},
         {"^[^\\S\\n]$", {" ", "\t", "\u2003"}, {"\n", "a"}},
         {"^[\\D\\d]$", {"a", "7", "\n"}, {}},
         {"^[^\\D\\d]$", {}, {"a", "7", "\n", ""}},
         {"^(?-u:\\w)(?-u:\\d)(?-u:\\s)$", {"a7\v"}, {"é7 ", "a٣ ", "a7\u2003"}}});
}

TEST_CASE("REGEXP: Unicode classes go by Rust's names") {
  check({{"^\\pL$", {"é"}, {"1"}},
         {"^\\p{Lu}\\p{lu}\\p{Uppercase_Letter}\\p{uppercase letter}\\p{gc=Lu}$", {"ABCDÉ"}, {"ABCDe"}},
         {"^\\PL$", {"1"}, {"é"}},
         {"^[\\PL\\p{Greek}]$", {"1", "α"}, {"a"}},
         {"^\\p{greek}\\p{Script=Greek}\\p{sc:greek}$", {"αβγ"}, {"αβc"}},
         {"^\\p{old italic}$", {"𐌀"}, {"a"}},
         {"^\\p{Any}\\p{ASCII}\\p{White_Space}$", {"\na\u2003"}, {"aé "}},
         {"^\\p{C}\\p{Other}$", {"\u200b\n", "\U0003ffff\x01"}, {"ab"}},
         {"^\\p{Cn}\\P{Assigned}$", {"\U0003ffff\U0003fffd"}, {"ab"}},
         {"^\\p{LC}$", {"a", "B", "ǅ"}, {"漢"}}});
}

TEST_CASE("REGEXP: brackets nest and have set operations") {
  check({{"^[a-z&&[^aeiou]]$", {"b", "z"}, {"a", "B"}},
         {"^[a-z--aeiou]$", {"b"}, {"a"}},
         {"^[a-d~~c-f]$", {"a", "f"}, {"c", "d", "g"}},
         {"^[^a-z&&[^aeiou]]$", {"a", "B"}, {"b"}},
         {"^[\\w--\\d]$", {"a", "é"}, {"7", "-"}},
         {"^[\\p{Greek}&&\\p{Lu}]$", {"Ω"}, {"ω", "A"}},
         {"^[^[\\w--b]]$", {"b", "-"}, {"a", "é"}},
         {"^[a-f&&c-z&&[^d]]$", {"c", "e"}, {"d", "a", "g"}},
         {"^[a[bc][^\\x00-y]]$", {"a", "c", "z", "é"}, {"d"}},
         {"^[[:alpha:][:^ascii:]]$", {"x", "é"}, {"1"}},
         {"^[[:nothing:]]$", {":", "n"}, {"x"}},
         {"^[]a]$", {"]", "a"}, {"b"}},
         {"^[^]a]$", {"b"}, {"]", "a"}},
         {"^[-a]$", {"-", "a"}, {"b"}},
         {"^[a-]$", {"-", "a"}, {"b"}},
         {"^[a-c-e]$", {"b", "-", "e"}, {"d"}},
         {"^[+--]$", {"+"}, {",", "-"}},
         {"[a&&b]", {}, {"a", "b", ""}},
         {"^[&~a]$", {"&", "~"}, {"b"}},
         {"(?i)^[\\w--b]$", {"A"}, {"b", "B"}},
         {"(?i)^[0-9&&[^4]]$", {"5"}, {"4"}}});
}

TEST_CASE("REGEXP: escapes and groups are Rust's") {
  check({{"^\\x41\\x{1F980}\\u00e9\\u{e9}\\U0001F980\\U{41}$", {"A🦀éé🦀A"}, {}},
         {"^\\a\\f\\n\\r\\t\\v$", {"\a\f\n\r\t\v"}, {}},
         {"^\\.\\+\\*\\?\\(\\)\\|\\[\\]\\{\\}\\^\\$\\#\\&\\-\\~\\/\\_\\ \\'\\\"\\%$", {".+*?()|[]{}^$#&-~/_ '\"%"}, {}},
         {"^#&-~]}$", {"#&-~]}"}, {}},
         {"^(?<year>\\d)(?P<_m.1[x]>\\d)(?:\\d)()$", {"123"}, {}},
         {"\\Aa\\z", {"a"}, {"a\n", "ba"}},
         {"\\bfoo\\b", {"a foo b"}, {"afoo"}},
         {"o\\Bo", {"foo"}, {"o o"}}});
}

TEST_CASE("REGEXP: flags hold to the end of their group") {
  check({{"^(?i)a(?-i)b$", {"Ab", "ab"}, {"AB"}},
         {"^((?i)a)b$", {"Ab"}, {"AB"}},
         {"^(?i:a)b$", {"Ab"}, {"AB"}},
         {"^(?i)(?-i:a)b$", {"aB"}, {"AB"}},
         {"^(a(?i)|b)c$", {"Bc", "ac"}, {"bC"}},
         {"(?i)^straße$", {"STRAßE"}, {"STRASSE"}},
         {"(?s:.)(?-s:.)", {"\na"}, {"a\n"}},
         {"(?m:^)b(?m:$)", {"a\nb\nc"}, {"ab"}},
         {"(?U)^a+?$", {"aaa"}, {}},
         {"(?R)^.$", {"a"}, {"\r", "\n"}},
         {"(?x) ^ a\\ [ b c ] {2} # d\n e \\# $", {"a bce#"}, {"abce#", "a bcde"}},
         {"(?x: a ) b", {"a b"}, {"ab"}},
         {"(?x)^a+ ?$", {"aa", ""}, {"b"}},
         {"(?x)^\u2003a\u2003$", {"a"}, {}}});
}

TEST_CASE("REGEXP: repetitions stack and count as far as Rust's") {
  check({{"^a**$", {"", "aaa"}, {"b"}},
         {"^a++$", {"a", "aaa"}, {""}},
         {"^a+?b", {"ab"}, {"b"}},
         {"^(?:a{2}){3}?$", {"aaaaaa"}, {"aaaaa"}},
         {"^a{2}{3}$", {"aaaaaa"}, {"aaaaa"}},
         {"^a{ 2 , 3 }$", {"aa", "aaa"}, {"a", "aaaa"}},
         {"^a{0}b$", {"b"}, {"ab"}},
         {"^(?:a|){2,}$", {"", "aaa"}, {"b"}},
         {"^a{2,}?$", {"aa"}, {"a"}}});
  RegexpDatabase db;
  const auto found = [&](const char* pattern, std::size_t length) {
    return db.match(repeated("a", length), pattern) == "1";
  };
  CHECK((!found("^a{1500}$", 1499) && found("^a{1500}$", 1500) && !found("^a{1500}$", 1501)));
  CHECK((!found("^a{1500,}$", 1499) && found("^a{1500,}$", 5000)));
  CHECK((!found("^a{1100,2300}$", 1099) && found("^a{1100,2300}$", 2300) && !found("^a{1100,2300}$", 2301)));
  CHECK((found("^a{0,2300}$", 0) && found("^a{0,2300}$", 2300) && !found("^a{0,2300}$", 2301)));
  CHECK((!found("^(a{100}){100}$", 9900) && found("^(a{100}){100}$", 10'000) && !found("^(a{100}){100}$", 10'100)));
}

TEST_CASE("REGEXP: pairs of cases are found as written") {
  // RE2 takes [Kk] for (?i:k), which adds the Kelvin sign, and forgets the other case after an equal alternative.
  check({{"^(?:[Kk]|x)$", {"k", "K", "x"}, {"\u212a"}}, {"^(?:a|[Aa])$", {"a", "A"}, {"b"}}});
}

TEST_CASE("REGEXP: what Rust rejects is refused") {
  RegexpDatabase db;
  const std::vector<std::pair<const char*, const char*>> refused{{"a{,2}", "count is missing"},
                                                                 {"a{", "count is missing"},
                                                                 {"a{}", "count is missing"},
                                                                 {"a{2", "unclosed repetition"},
                                                                 {"a{2,1}", "invalid repetition"},
                                                                 {"{", "nothing to repeat"},
                                                                 {"*a", "nothing to repeat"},
                                                                 {"(+)", "nothing to repeat"},
                                                                 {"a|?", "nothing to repeat"},
                                                                 {"(?i)*", "nothing to repeat"},
                                                                 {"(a", "unclosed group"},
                                                                 {"a)", "unopened group"},
                                                                 {"(?", "unclosed group"},
                                                                 {"(?)", "empty group flags"},
                                                                 {"(?i-)", "flag is missing"},
                                                                 {"(?ii)", "duplicate group flag"},
                                                                 {"(?k)", "unknown group flag"},
                                                                 {"(?>a)", "unknown group flag"},
                                                                 {"(?'n'a)", "unknown group flag"},
                                                                 {"(?P=n)", "unknown group flag"},
                                                                 {"(?<>a)", "invalid group name"},
                                                                 {"(?<1>a)", "invalid group name"},
                                                                 {"(?<n>a)(?<n>b)", "duplicate group name"},
                                                                 {"(?<n", "unclosed group name"},
                                                                 {"(?=a)", "look-around"},
                                                                 {"(?!a)b", "look-around"},
                                                                 {"(?<=a)", "look-around"},
                                                                 {"(?<!a)", "look-around"},
                                                                 {"(a)\\1", "backreferences"},
                                                                 {"\\0", "backreferences"},
                                                                 {"\\", "ends in a backslash"},
                                                                 {"\\Z", "unknown escape"},
                                                                 {"\\Qa\\E", "unknown escape"},
                                                                 {"\\C", "unknown escape"},
                                                                 {"\\é", "unknown escape"},
                                                                 {"\\xg1", "hexadecimal digit"},
                                                                 {"\\x4", "unfinished hexadecimal"},
                                                                 {"\\x{}", "hexadecimal digit"},
                                                                 {"\\x{d800}", "Unicode character"},
                                                                 {"\\x{110000}", "Unicode character"},
                                                                 {"\\p", "unfinished Unicode"},
                                                                 {"\\p{L", "unfinished Unicode"},
                                                                 {"\\p{^L}", "unknown Unicode class"},
                                                                 {"\\p{}", "empty Unicode class"},
                                                                 {"[\\p{sc= }]", "empty Unicode class"},
                                                                 {"[", "unclosed character class"},
                                                                 {"[]", "unclosed character class"},
                                                                 {"[a", "unclosed character class"},
                                                                 {"[a-", "unclosed character class"},
                                                                 {"[b-a]", "invalid range"},
                                                                 {"[\\d-z]", "between two characters"},
                                                                 {"[a-\\d]", "between two characters"},
                                                                 {"[\\b]", "assertion cannot be"},
                                                                 {"(?-u).", "(?-u)"},
                                                                 {"(?-u)\\W", "(?-u)"},
                                                                 {"(?-u)[^a]", "(?-u)"},
                                                                 {"(?-u)\\pL", "(?-u)"},
                                                                 {"(?-u)\\xff", "(?-u)"},
                                                                 {"(?-u)[é]", "(?-u)"}};
  for (const auto& [pattern, reason] : refused) {
    INFO(pattern);
    CHECK(contains(refusal(db, pattern), reason));
  }
}

TEST_CASE("REGEXP: what RE2 cannot do is refused, never guessed") {
  RegexpDatabase db;
  const std::vector<std::pair<const char*, const char*>> refused{
      {"\\<a", "\\< and \\> are not supported (use \\b)"},
      {"a\\>", "\\< and \\> are not supported (use \\b)"},
      {"\\b{start}a", "\\b{...} is not supported (use \\b)"},
      {"(?Rm)a$", "'^' and '$' under (?Rm) are not supported"},
      {"(?mR:^)a", "'^' and '$' under (?Rm) are not supported"},
      {"(?i-u:k)", "(?i-u) is not supported"},
      {"\\p{Emoji}", "unknown Unicode class"},
      {"(?i)[a-z&&[^b]]", "not supported with (?i)"},
      {"(?i)[a-z--b]", "not supported with (?i)"},
  };
  for (const auto& [pattern, reason] : refused) {
    INFO(pattern);
    CHECK(contains(refusal(db, pattern), reason));
  }
}
