#pragma once

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::test {

/// Migrations 1 to `count`, each with a table `m<version>` of `rows` rows as its effect; the first also does
/// `and_first`.
inline Migrator migrations_with_tables(int count, int rows, const std::string& and_first) {
  std::vector<std::string> names;
  std::vector<std::string> scripts;
  for (int i = 1; i <= count; ++i) {
    const std::string table = "m" + std::to_string(i);
    names.push_back(std::to_string(i) + "_step.sql");
    scripts.push_back("CREATE TABLE " + table +
                      "(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                      std::to_string(rows) + ") INSERT INTO " + table + " SELECT i FROM n;");
  }
  scripts[0] += and_first;
  std::vector<EmbeddedFile> files;
  for (std::size_t i = 0; i < scripts.size(); ++i) files.push_back({names[i], scripts[i]});
  return Migrator::from_files(files);
}

/// Three migrations, none of which can run twice, each with a table of `rows_each` rows as its effect: plain, with
/// foreign keys off, and with an index. Their down files drop the tables.
class ThreeMigrations {
 public:
  explicit ThreeMigrations(std::int64_t rows) : rows_(rows) {
    const std::string fill = " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                             std::to_string(rows) + ") INSERT INTO ";
    const std::array<std::string, 3> scripts{
        "CREATE TABLE t1(x);" + fill + "t1 SELECT i FROM n;",
        "-- foreign-keys off\nCREATE TABLE t2(x);" + fill + "t2 SELECT i FROM n;",
        "CREATE TABLE t3(x); CREATE INDEX t3_x ON t3(x);" + fill + "t3 SELECT i FROM n;",
    };
    const EmbeddedFile files[]{{"1_a.up.sql", scripts[0]}, {"1_a.down.sql", "DROP TABLE t1;"},
                               {"2_b.up.sql", scripts[1]}, {"2_b.down.sql", "DROP TABLE t2;"},
                               {"3_c.up.sql", scripts[2]}, {"3_c.down.sql", "DROP INDEX t3_x; DROP TABLE t3;"}};
    migrator_ = Migrator::from_files(files);
  }

  const Migrator& migrator() const noexcept { return *migrator_; }

  /// The database is whole, and each migration's row and effect agree. Gives the versions that are applied.
  std::vector<std::int64_t> check_wholly_or_not_at_all(const std::filesystem::path& file) const {
    Connection db(file);
    REQUIRE(db.query_one<std::string>("PRAGMA integrity_check") == "ok");
    std::vector<std::int64_t> applied;
    for (const MigrationStatus& status : migrator_->status(db)) {
      const std::string table = "t" + std::to_string(status.version);
      const bool exists = db.query_optional<int>("SELECT 1 FROM sqlite_master WHERE name = ?", table).has_value();
      const std::int64_t found = exists ? db.query_one<std::int64_t>("SELECT count(*) FROM " + table) : -1;
      INFO("version " << status.version << ", rows " << found);
      CHECK(found == (status.state == migration_state::applied ? rows_ : -1));
      CHECK_FALSE(status.dirty);
      if (status.state == migration_state::applied) applied.push_back(status.version);
    }
    return applied;
  }

 private:
  std::int64_t rows_;
  std::optional<Migrator> migrator_;
};

}  // namespace statehouse::test
