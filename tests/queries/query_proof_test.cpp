#include <sqlite3.h>
#include <SQLiteCpp/Database.h>

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <random>
#include <vector>

#include "checked.hpp"
#include "long_form.hpp"
#include "queries/machine.hpp"

using namespace statehouse::test;
namespace queries = statehouse::queries;

namespace {

constexpr const char* proof_schema =
    "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, score REAL, state INTEGER NOT NULL);"
    "CREATE INDEX person_by_name ON person (name, score); CREATE INDEX person_by_state ON person (state);"
    "CREATE TABLE pet (owner INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT, PRIMARY KEY (owner, name)) WITHOUT ROWID;"
    "CREATE VIEW noted AS SELECT id, name, note FROM person WHERE note IS NOT NULL;";

class Statements {
 public:
  explicit Statements(unsigned seed) : random_(seed) {}

  std::string next() {
    const std::string first = arm();
    if (!chance(4) || first.find(" OVER ") != std::string::npos)
      return first + (chance(3) ? " ORDER BY 1, 2" : "") + (chance(4) ? " LIMIT 7 OFFSET 1" : "");
    return first + pick({" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT "}) + arm(3) +
           (chance(2) ? " ORDER BY 2" : "");
  }
  unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }

 private:
  bool chance(unsigned of) { return below(of) == 0; }
  std::string pick(const std::vector<std::string>& from) { return from[below(static_cast<unsigned>(from.size()))]; }

  std::string plain() {
    return pick({"p.id", "p.name", "p.note", "p.score", "p.state", "t.name", "t.kind", "t.owner"});
  }
  std::string expression() {
    const std::string one = plain();
    const std::string other = plain();
    return pick({one,
                 one,
                 one,
                 "coalesce(" + one + ", " + other + ")",
                 "ifnull(" + one + ", 'x')",
                 "nullif(" + one + ", " + other + ")",
                 "CASE WHEN " + one + " > 3 THEN " + other + " ELSE 5 END",
                 "CASE WHEN " + one + " IS NULL THEN 1 WHEN p.state > 1 THEN " + other + " END",
                 one + " || " + other,
                 one + " + 1",
                 "p.id / p.state",
                 "p.id % 3",
                 one + " = " + other,
                 one + " IS " + other,
                 "NOT " + one,
                 "upper(" + one + ")",
                 "length(" + one + ")",
                 "abs(p.state)",
                 "round(p.score)",
                 "substr(" + one + ", 2)",
                 "instr(" + one + ", 'a')",
                 "typeof(" + one + ")",
                 "CAST(" + one + " AS TEXT)",
                 "CAST(" + one + " AS INTEGER)",
                 "(SELECT k.name FROM pet k WHERE k.owner = p.id)",
                 "EXISTS (SELECT 1 FROM pet k WHERE k.owner = p.id)",
                 "(SELECT count(*) FROM pet k WHERE k.kind = " + one + ")",
                 "p.id IN (SELECT owner FROM pet)",
                 "(SELECT max(name) FROM pet)",
                 one + " BETWEEN 1 AND " + other,
                 "date(" + one + ")"});
  }
  std::string aggregate() {
    const std::string one = plain();
    return pick({"count(*)", "count(" + one + ")", "sum(p.id)", "sum(p.score)", "total(p.score)", "avg(p.id)",
                 "max(" + one + ")", "min(" + one + ")", "group_concat(" + one + ")", "count(DISTINCT " + one + ")"});
  }
  std::string window() {
    return pick({"row_number() OVER (ORDER BY p.name)", "rank() OVER (PARTITION BY p.state ORDER BY p.id)",
                 "count(*) OVER ()", "lag(p.name) OVER (ORDER BY p.id)", "sum(p.id) OVER (PARTITION BY t.name)",
                 "first_value(p.name) OVER (ORDER BY p.score)", "max(p.note) OVER (ORDER BY p.id)"});
  }
  std::string from() {
    return pick({"person p LEFT JOIN pet t ON t.owner = p.id", "person p JOIN pet t ON t.owner = p.id",
                 "pet t RIGHT JOIN person p ON t.owner = p.id", "person p FULL JOIN pet t ON t.owner = p.id",
                 "person p, pet t",
                 "person p LEFT JOIN (SELECT * FROM pet WHERE kind > 'a' ORDER BY name) t ON t.owner = p.state",
                 "person p LEFT JOIN pet t ON t.name = p.name AND t.kind = p.note",
                 "(SELECT DISTINCT * FROM person) p JOIN pet t ON t.owner = p.id",
                 "noted n JOIN person p USING (id) LEFT JOIN pet t ON t.owner = n.id"});
  }
  std::string condition() {
    return pick({"", "", " WHERE " + plain() + " > 2", " WHERE " + plain() + " IS NOT NULL", " WHERE p.name = 'b'",
                 " WHERE p.state IN (1, 2)", " WHERE p.id = 3 OR p.name > 'a'", " WHERE t.name IS NULL",
                 " WHERE (p.name, p.id) > ('a', 2)", " WHERE EXISTS (SELECT 1 FROM pet k WHERE k.owner = p.id)"});
  }
  /// Windows, the fourth kind, make long programs, and two of them in one statement are not looked at to the end.
  std::string arm(unsigned kinds = 4) {
    const unsigned kind = below(kinds);
    if (kind == 0)
      return "SELECT " + aggregate() + ", " + expression() + ", " + aggregate() + " FROM " + from() + condition();
    if (kind == 1) {
      const std::string key = expression();
      return "SELECT " + key + ", " + aggregate() + ", " + expression() + " FROM " + from() + condition() +
             " GROUP BY " + key + (chance(2) ? ", p.state" : "") + (chance(3) ? " HAVING count(*) > 1" : "");
    }
    if (kind == 3)
      return "SELECT " + window() + ", " + expression() + ", " + window() + " FROM " + from() + condition();
    return std::string("SELECT ") + (chance(4) ? "DISTINCT " : "") + expression() + ", " + expression() + ", " +
           expression() + " FROM " + from() + condition();
  }

  std::mt19937 random_;
};

void fill(statehouse::Connection& db, Statements& random, unsigned rows) {
  const auto text = [&](unsigned nulls) {
    return random.below(nulls) == 0 ? std::optional<std::string>()
                                    : std::string(1, static_cast<char>('a' + random.below(4)));
  };
  for (unsigned i = 0; i < rows; ++i) {
    db.execute("INSERT INTO person (name, note, score, state) VALUES (?, ?, ?, ?)", *text(1000000), text(2),
               random.below(3) == 0 ? std::optional<double>() : random.below(5), random.below(3));
    db.execute("INSERT OR IGNORE INTO pet VALUES (?, ?, ?)", random.below(2 * rows), *text(1000000), text(2));
  }
}

queries::Classes class_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return queries::class_integer;
    case SQLITE_FLOAT: return queries::class_real;
    case SQLITE_TEXT: return queries::class_text;
    case SQLITE_BLOB: return queries::class_blob;
    default: return queries::class_null;
  }
}

struct Proof {
  std::size_t looked_at = 0;  ///< Statements whose programs were run to the end.
  std::size_t not_null = 0;   ///< Columns of theirs that are never NULL.
};

/// Fails where a value is one that they cannot have.
void prove(statehouse::Connection& db, const std::string& sql, Proof& proof) {
  CAPTURE(sql);
  sqlite3* const database = db.native().getHandle();
  const queries::QuerySettings settings;
  const queries::Schema schema(db, settings);
  const queries::ProgramFacts facts = queries::Machine(schema, queries::program_of(database, sql)).run();
  sqlite3_stmt* prepared = nullptr;
  REQUIRE(sqlite3_prepare_v2(database, sql.c_str(), -1, &prepared, nullptr) == SQLITE_OK);
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(prepared, &sqlite3_finalize);
  while (facts.complete && sqlite3_step(prepared) == SQLITE_ROW)
    for (int i = 0; i < sqlite3_column_count(prepared); ++i) {
      CAPTURE(i, facts.columns.at(static_cast<std::size_t>(i)).classes);
      const auto allowed = facts.columns.at(static_cast<std::size_t>(i)).classes;
      if ((allowed & class_of(prepared, i)) == 0) FAIL_CHECK("it has a value of class " << class_of(prepared, i));
    }
  proof.looked_at += facts.complete ? 1 : 0;
  for (const auto& column : facts.columns) proof.not_null += column.nullable() ? 0 : 1;
}

}  // namespace

TEST_CASE("query columns: a register stays in its place while others come to be") {
  queries::State state;
  queries::Value& first = state.at(0);
  for (int index = 1; index < 1000; ++index) state.at(index);
  CHECK(&state.at(0) == &first);
}

TEST_CASE("query columns: a statement of which each round keeps more is given up, not looked at for ever") {
  auto db = statehouse::Connection::in_memory("in memory");
  db.execute_script(proof_schema);
  Statements rows(1);
  fill(db, rows, 8);
  Proof proof;
  prove(db,
        "SELECT substr(t.owner, 2), nullif(t.owner, p.score), CAST(p.score AS TEXT) FROM noted n JOIN person p USING "
        "(id) LEFT JOIN pet t ON t.owner = n.id INTERSECT SELECT max(t.owner), p.id % 3, count(p.score) FROM pet t "
        "RIGHT JOIN person p ON t.owner = p.id WHERE t.name IS NULL",
        proof);
  CHECK(proof.looked_at <= 1);  // it came back; whether it was looked at to the end is a matter of SQLite's program
}

TEST_CASE("query columns: no statement gives a value of a class that its program was said not to give") {
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  Statements statements(seed);
  Proof proof;
  const unsigned count = long_form() ? 2400 : 120;
  for (unsigned round = 0; round < 6; ++round) {
    auto db = statehouse::Connection::in_memory("in memory");
    db.execute_script(proof_schema);
    fill(db, statements, round * 4);  // empty first
    for (unsigned i = 0; i < count / 6; ++i) prove(db, statements.next(), proof);
  }
  // It is not by saying nothing, or that all may be NULL. Two windows over two joins are too long a program.
  CHECK(proof.looked_at > count * 9 / 10);
  CHECK(proof.not_null > count / 2);
}
