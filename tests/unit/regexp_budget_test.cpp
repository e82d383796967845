#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "error_of.hpp"
#include "regexp/size.hpp"
#include "regexp/translator.hpp"
#include "statehouse/connection.hpp"

// A match cannot be stopped, so that its cost is known before it begins.

using namespace statehouse;
using test::contains;
using test::error_of;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

Connection opened(std::uint64_t budget = ConnectionOptions{}.regexp_budget) {
  return Connection::in_memory("texts", {.regexp_budget = budget});
}

bool found(Connection& db, const std::string& pattern, const std::string& text) {
  return db.query_one<bool>("SELECT ? REGEXP ?", text, pattern);
}

std::string refusal(Connection& db, const std::string& pattern, const std::string& text) {
  INFO(pattern.substr(0, 60));
  return error_of([&] { found(db, pattern, text); }).what();
}

std::uint64_t cost(const std::string& pattern, std::size_t bytes) {
  return detail::match_cost(detail::to_re2(pattern).size, bytes);
}

std::string alternating(std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += (i * i / 7) % 2 == 0 ? 'a' : 'b';
  return text;
}

}  // namespace

TEST_CASE("REGEXP: what could take long in a text is an error before it begins") {
  // Each of these keeps RE2 busy for seconds to minutes, in one text or the other.
  Connection db = opened();
  const std::vector<std::string> texts{std::string(mebibyte, 'a'), alternating(mebibyte)};
  for (const char* pattern : {"(?:[ab]{0,1000}){10}c", "a[ab]{5000}c",           "[ab]*a[ab]{200}c",
                              "(?:a?){1000}a{1000}c",  "(?:a|b|ab|ba){2000}c",   "(?:(?:(?:a?){10}){10}){10}c",
                              "a{900}{20}c",           "(a*b*c*d*){1000}!",      "(?:\\b|a){1000}b{3}",
                              "(?:^|a|$){3000}!",      "(?:.?){3000}!",          "(?:\\w?\\W?){100}!",
                              "(?i)a(?:[ab]c?){300}!", "[ab]{7}{7}{7}{7}c",      "a.{30}!",
                              "(?s)a.{50}!",           "a[acegikmoqsuwy]{400}!", "a[ab]{1500,}c",
                              "a[ab]{0,2300}c",        "(?x) a [a b] { 5000 } c"}) {
    for (const std::string& text : texts)
      CHECK(contains(refusal(db, pattern, text), "too costly for a text of 1048576 bytes"));
  }
}

TEST_CASE("REGEXP: the error of a costly match names the pattern, both numbers and what to do") {
  Connection db = opened(1'000'000);
  CHECK(contains(refusal(db, "[ab]{2000}c", std::string(1000, 'a')),
                 "REGEXP '[ab]{2000}c': too costly for a text of 1000 bytes: up to 2252000 steps, allowed are 1000000; "
                 "repeat less, look through shorter texts, or raise ConnectionOptions::regexp_budget"));
}

TEST_CASE("REGEXP: usual patterns look through texts of any length") {
  Connection db = opened();
  const std::string text = std::string(3 * mebibyte, 'a') + " see web17 or mail to someone@example.com, says the log";
  for (const char* pattern : {"web\\d+", "\\w+@\\w+", "\\w+@\\w+\\.com", "(a+)+$|log$", "\\bor\\b", "(?i)EXAMPLE\\.com",
                              "se+ ", "^a+ see", ".*log$", "[\\w.]+@", "(a|aa)+ s"})
    CHECK(found(db, pattern, text));
  CHECK(found(db, "mail to someone@example\\.com, says the log", text));
  CHECK_FALSE(found(db, std::string(4000, 'a') + 'b', text));
}

TEST_CASE("REGEXP: a large pattern looks through short texts, and a middling one through middling texts") {
  Connection db = opened();
  CHECK(found(db, "(?:a?){1000}a{1000}", std::string(1500, 'a')));
  CHECK(found(db, "^[ab]{32}", alternating(mebibyte / 4)));
  CHECK(found(db, "^\\w{10}", alternating(mebibyte / 16)));
}

TEST_CASE("REGEXP: the budget is the most that is let, and zero is no limit") {
  const std::string text = alternating(100'000);
  const std::uint64_t needed = cost("a[ab]{20}c", text.size());
  Connection enough = opened(needed), short_by_one = opened(needed - 1), unlimited = opened(0);
  CHECK_FALSE(found(enough, "a[ab]{20}c", text));
  CHECK_FALSE(found(unlimited, "a[ab]{20}c", text));
  CHECK(contains(refusal(short_by_one, "a[ab]{20}c", text), "too costly"));
}

TEST_CASE("REGEXP: the cost is that of the pattern written out, times the text") {
  CHECK(cost("a[ab]{20}c", 1000) == 25 * 1000);       // a, 20 times [ab], the repetition, c; and a bit for the class
  CHECK(cost("(?:a?){1000}b", 1000) == 3002 * 1000);  // group, a and ? 1000 times
  CHECK(cost("(?:a{10}){10}b", 1000) == 122 * 1000);  // (10 times a, the repetition, the group) 10 times
  CHECK(cost("a{1500}", 1000) == cost("a{1500}", 500) * 2);
  CHECK(cost("ab", mebibyte) == cost("ab", 3));               // a plain text
  CHECK(cost("\\w+@", mebibyte) == cost("\\w+@", 1U << 12));  // a small automaton
}

TEST_CASE("REGEXP: a costly match ends the statement and leaves the connection usable") {
  Connection db = opened();
  db.execute("CREATE TABLE t(a TEXT)");
  db.execute("INSERT INTO t VALUES (?), (?)", "ab", std::string(mebibyte, 'a'));
  const Error error = error_of([&] { db.execute("DELETE FROM t WHERE a REGEXP 'a[ab]{5000}c'"); });
  CHECK(contains(error.what(), "too costly"));
  CHECK(db.query_one<int>("SELECT count(*) FROM t WHERE a REGEXP '^ab?'") == 2);
}
