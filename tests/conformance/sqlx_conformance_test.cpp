#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sqlx_case.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using test::PlainDatabase;
using test::sqlx_data;
namespace json = boost::json;

namespace {

std::vector<std::string> stems_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

/// `{"ok":true}`, or the failure; anything but a MigrationError fails the test.
struct RecordedOutcome {
  bool ok = true;
  boost::system::error_code code;
  std::optional<std::int64_t> version;
  std::string text;
};

template <class Action>
RecordedOutcome recorded_outcome_of(Action&& action) {
  try {
    action();
  } catch (const MigrationError& error) {
    return {false, error.code(), error.version(), error.what()};
  }
  return {};
}

Migrator migrator_for(const std::string& name, const json::object& step) {
  const auto migrator = Migrator::from_directory(sqlx_data / "cases" / name / std::string(step.at("dir").as_string()));
  MigratorOptions options;
  options.ignore_missing = step.contains("ignore_missing") && step.at("ignore_missing").as_bool();
  return migrator.with_options(options);
}

json::array info(const Migrator& migrator, const std::filesystem::path& file) {
  Connection connection(file);
  json::array result;
  for (const MigrationStatus& status : migrator.status(connection)) {
    if (status.source == nullptr) continue;  // sqlx shows only what is in the folder
    const char* const shown = status.state == migration_state::pending   ? "pending"
                              : status.state == migration_state::applied ? "installed"
                                                                         : "installed (different checksum)";
    result.push_back(json::object{{"version", status.version},
                                  {"status", shown},
                                  {"description", status.description},
                                  {"type", status.source->kind == migration_kind::up ? "ReversibleUp" : "Simple"},
                                  {"no_tx", status.source->no_transaction},
                                  {"checksum", to_hex(status.source->checksum)}});
  }
  return result;
}

/// Runs one step; for `info` its result goes to `listing`.
RecordedOutcome run_step(const std::string& name, const json::object& step, const std::filesystem::path& file,
                         json::array& listing) {
  const std::string command(step.at("cmd").as_string());
  if (command == "sql") {
    PlainDatabase(file).execute(std::string(step.at("sql").as_string()));
    return {};
  }
  return recorded_outcome_of([&] {
    const Migrator migrator = migrator_for(name, step);
    if (command == "info") {
      listing = info(migrator, file);
      return;
    }
    Connection connection(file);
    if (command == "undo") {
      migrator.undo(connection, step.at("target").as_int64());
    } else if (step.contains("target")) {
      migrator.run_to(connection, step.at("target").as_int64());
    } else {
      migrator.run(connection);
    }
  });
}

void check_outcome(const json::object& expected, const RecordedOutcome& outcome) {
  INFO("expected " << json::serialize(expected));
  INFO("got " << outcome.text);
  REQUIRE(outcome.ok == expected.at("ok").as_bool());
  if (outcome.ok) return;
  const auto failure = test::expected_failure(expected);
  CHECK(outcome.code == failure.code);
  if (failure.version) CHECK(outcome.version == failure.version);
}

void check_state(const json::object& expected, const std::filesystem::path& file) {
  const json::object actual = test::state_of(file);
  for (const auto key : {"exists", "schema", "migrations", "migrations_error", "data", "journal_mode", "user_version",
                         "application_id", "page_size", "encoding", "integrity", "foreign_key_check"}) {
    INFO(key);
    const auto wanted = expected.find(key);
    const auto found = actual.find(key);
    REQUIRE((found != actual.end()) == (wanted != expected.end()));
    if (found == actual.end()) continue;
    CHECK(json::serialize(found->value()) == json::serialize(wanted->value()));
  }
}

/// A fresh database and the folders of one recorded case.
struct RecordedCase {
  explicit RecordedCase(std::string case_name) : name(std::move(case_name)) {}

  RecordedOutcome migrate(const std::string& folder = "m1") const {
    return recorded_outcome_of([&] {
      const auto migrator = Migrator::from_directory(sqlx_data / "cases" / name / folder);
      Connection connection(file);
      migrator.run(connection);
    });
  }
  RecordedOutcome undo(std::int64_t target, const std::string& folder = "m1") const {
    return recorded_outcome_of([&] {
      const auto migrator = Migrator::from_directory(sqlx_data / "cases" / name / folder);
      Connection connection(file);
      migrator.undo(connection, target);
    });
  }
  json::value rows(const std::string& sql) const { return test::rows_of(PlainDatabase(file), sql); }

  std::string name;
  testing::TempDir dir;
  std::filesystem::path file = dir / "case.db";
};

bool mentions(const RecordedOutcome& outcome, std::string_view text) {
  return outcome.text.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("sqlx: every recorded case ends as it did with sqlx") {
  for (const std::string& name : stems_in(sqlx_data / "expected")) {
    DYNAMIC_SECTION(name) {
      const testing::TempDir dir;
      const auto file = dir / "case.db";
      const json::value recorded = test::read_json(sqlx_data / "expected" / (name + ".json"));
      int number = 0;
      for (const json::value& value : recorded.as_object().at("steps").as_array()) {
        const json::object& step = value.as_object();
        INFO("step " << number++ << ": " << std::string(step.at("cmd").as_string()));
        json::array listing;
        const RecordedOutcome outcome = run_step(name, step, file, listing);
        if (step.contains("outcome")) {
          const json::object& expected = step.at("outcome").as_object();
          check_outcome(expected, outcome);
          if (expected.contains("migrations"))
            CHECK(json::serialize(listing) == json::serialize([&] {
                    json::array ordered;  // the same members in our order
                    for (const json::value& entry : expected.at("migrations").as_array()) {
                      const json::object& m = entry.as_object();
                      ordered.push_back(json::object{{"version", m.at("version")},
                                                     {"status", m.at("status")},
                                                     {"description", m.at("description")},
                                                     {"type", m.at("type")},
                                                     {"no_tx", m.at("no_tx")},
                                                     {"checksum", m.at("checksum")}});
                    }
                    return ordered;
                  }()));
        }
        if (step.contains("state")) check_state(step.at("state").as_object(), file);
      }
    }
  }
}

TEST_CASE("sqlx: every recorded case is either compared or a deliberate difference") {
  const std::vector<std::string> deliberate{"begin_in_migration",
                                            "commit_begin_in_migration",
                                            "commit_in_migration",
                                            "commit_vacuum_begin",
                                            "dup_after_applied",
                                            "dup_versions",
                                            "dup_versions_padded",
                                            "fk_rebuild_cascades",
                                            "nul_byte",
                                            "nul_byte_at_end",
                                            "pending_before_mismatch",
                                            "pragma_foreign_keys_off",
                                            "rollback_in_migration",
                                            "undo_dup_down"};
  std::vector<std::string> left;
  std::ranges::set_difference(stems_in(sqlx_data / "cases"), stems_in(sqlx_data / "expected"),
                              std::back_inserter(left));
  CHECK(left == deliberate);
}

TEST_CASE("sqlx: databases that sqlx left behind open with nothing to do and no bookkeeping row changed") {
  for (const std::string& name : stems_in(sqlx_data / "db")) {
    DYNAMIC_SECTION(name) {
      const RecordedCase recorded(name);
      std::filesystem::copy_file(sqlx_data / "db" / (name + ".db"), recorded.file);
      const auto all = "SELECT *, typeof(success), typeof(checksum) FROM _sqlx_migrations ORDER BY version";
      const std::string before = json::serialize(recorded.rows(all));
      {
        Connection connection(recorded.file);
        const auto migrator = Migrator::from_directory(sqlx_data / "cases" / name / "m1");
        CHECK(migrator.run(connection).versions.empty());
        CHECK_FALSE(migrator.migrations().empty());
      }
      CHECK(json::serialize(recorded.rows(all)) == before);
    }
  }
}

TEST_CASE("sqlx difference: a NUL byte is an error when the folder is read, and the database is not touched") {
  for (const auto name : {"nul_byte", "nul_byte_at_end"}) {
    const RecordedCase recorded(name);
    const RecordedOutcome outcome = recorded.migrate();
    CHECK(outcome.code == errc::migration_source);
    CHECK(mentions(outcome, "1_a.sql"));
    CHECK_FALSE(std::filesystem::exists(recorded.file));
  }
}

TEST_CASE("sqlx difference: two files for one version are an error when the folder is read, naming both") {
  for (const auto name : {"dup_versions", "dup_versions_padded"}) {
    const RecordedCase recorded(name);
    CHECK(recorded.migrate().code == errc::migration_source);
    CHECK_FALSE(std::filesystem::exists(recorded.file));
  }
  const RecordedCase applied("dup_after_applied");
  CHECK(applied.migrate("m1").ok);
  const RecordedOutcome outcome = applied.migrate("m2");
  CHECK(outcome.code == errc::migration_source);
  CHECK(mentions(outcome, "01_b.sql"));
  CHECK(mentions(outcome, "1_a.sql"));

  const RecordedCase down("undo_dup_down");
  CHECK(down.migrate().code == errc::migration_source);
  CHECK(down.undo(0).code == errc::migration_source);
}

TEST_CASE("sqlx difference: transaction control is refused before anything was applied, with file and line") {
  const std::pair<const char*, const char*> cases[]{{"begin_in_migration", "1_a.sql:1"},
                                                    {"commit_in_migration", "1_a.sql:2"},
                                                    {"rollback_in_migration", "1_a.sql:2"}};
  for (const auto& [name, place] : cases) {
    const RecordedCase recorded(name);
    const RecordedOutcome outcome = recorded.migrate();
    INFO(outcome.text);
    CHECK(outcome.code == errc::migration_refused);
    CHECK(outcome.version == 1);
    CHECK(mentions(outcome, place));
    CHECK(mentions(outcome, "-- no-transaction"));
    CHECK(json::serialize(recorded.rows("SELECT name FROM sqlite_master")) == "[]");
  }
}

TEST_CASE("sqlx: a script whose every COMMIT is followed by a BEGIN runs, is recorded, and leaves foreign keys on") {
  for (const auto name : {"commit_begin_in_migration", "commit_vacuum_begin"}) {
    const RecordedCase recorded(name);
    Connection connection(recorded.file);
    const auto migrator = Migrator::from_directory(sqlx_data / "cases" / name / "m1");
    CHECK(migrator.run(connection).versions == std::vector<std::int64_t>{1});
    CHECK(connection.query_one<int>("PRAGMA foreign_keys") == 1);
    CHECK(json::serialize(recorded.rows("SELECT version, success FROM _sqlx_migrations")) == "[[1,1]]");
    CHECK(json::serialize(recorded.rows("SELECT name FROM sqlite_master WHERE name = 'a'")) == R"([["a"]])");
  }
}

TEST_CASE("sqlx difference: an applied migration with transaction control is only compared by its checksum") {
  const RecordedCase recorded("commit_in_migration");
  const auto migrator = Migrator::from_directory(sqlx_data / "cases" / recorded.name / "m1");
  {
    const RecordedCase other("undo_empty_db");
    CHECK(other.undo(0).ok);  // creates the table
    std::filesystem::copy_file(other.file, recorded.file);
  }
  PlainDatabase(recorded.file)
      .execute(
          "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (1, 'a', 1, "
          "x'" +
          to_hex(migrator.migrations()[0].checksum) + "', 5)");
  CHECK(recorded.migrate().ok);
}

TEST_CASE("sqlx difference: with a changed version in the set nothing is applied, not even an older one") {
  const RecordedCase recorded("pending_before_mismatch");
  CHECK(recorded.migrate("m1").ok);
  const auto before = json::serialize(test::state_of(recorded.file));
  const RecordedOutcome outcome = recorded.migrate("m2");
  CHECK(outcome.code == errc::migration_mismatch);
  CHECK(outcome.version == 2);
  CHECK(json::serialize(test::state_of(recorded.file)) == before);
}

TEST_CASE("sqlx difference: rebuilding a table keeps the rows that refer to it") {
  const RecordedCase recorded("fk_rebuild_cascades");
  CHECK(recorded.migrate().ok);
  CHECK(json::serialize(recorded.rows("SELECT id, pid FROM c ORDER BY id")) == "[[10,1],[11,2]]");
  CHECK(json::serialize(recorded.rows("SELECT id, n, extra FROM p ORDER BY id")) == R"([[1,"a",null],[2,"b",null]])");
}

TEST_CASE("sqlx: PRAGMA foreign_keys = OFF does nothing inside the transaction, and a violation fails the migration") {
  const RecordedCase recorded("pragma_foreign_keys_off");
  const RecordedOutcome outcome = recorded.migrate();
  INFO(outcome.text);
  CHECK(outcome.code == errc::migration_failed);
  CHECK(outcome.version == 1);
  CHECK(mentions(outcome, "1_a.sql:4"));
  CHECK(mentions(outcome, "FOREIGN KEY constraint failed"));
  CHECK(json::serialize(recorded.rows("SELECT version FROM _sqlx_migrations")) == "[]");
  CHECK(json::serialize(recorded.rows("SELECT name FROM sqlite_master WHERE name IN ('p', 'c')")) == "[]");
}
