#include <spdlog/spdlog.h>

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "random.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"

/// sqlx's rules of what runs and what fails, written down once more and as plainly as possible, against the Migrator on
/// random folders that change between the steps.
using namespace statehouse;
using test::Random;

namespace {

struct Files {
  std::optional<int> up;  ///< Which content, if there is an up or simple file.
  bool down = false;
};
using Folder = std::map<std::int64_t, Files>;

struct ModelOutcome {
  std::optional<errc> error;
  std::vector<std::int64_t> versions;
  bool operator==(const ModelOutcome&) const = default;
};

class Model {
 public:
  ModelOutcome run(const Folder& folder, bool ignore_missing, bool strict, std::optional<std::int64_t> target) {
    if (target && !folder.contains(*target)) return {errc::migration_target, {}};
    if (!ignore_missing && any_missing(folder)) return {errc::migration_missing, {}};
    if (target && !applied_.empty() && *target < applied_.rbegin()->first) return {errc::migration_target, {}};
    std::vector<std::int64_t> due;
    for (const auto& [version, files] : folder) {
      if (!files.up) continue;
      const auto row = applied_.find(version);
      if (row != applied_.end() && row->second != *files.up) return {errc::migration_mismatch, {}};
      if (row == applied_.end() && (!target || version <= *target)) due.push_back(version);
    }
    if (strict && !due.empty() && !applied_.empty() && due.front() < applied_.rbegin()->first)
      return {errc::migration_order, {}};
    for (const auto version : due) applied_[version] = *folder.at(version).up;
    return {std::nullopt, due};
  }

  ModelOutcome undo(const Folder& folder, bool ignore_missing, std::int64_t target) {
    if (!ignore_missing && any_missing(folder)) return {errc::migration_missing, {}};
    ModelOutcome outcome;
    for (auto entry = folder.rbegin(); entry != folder.rend(); ++entry) {
      if (entry->first <= target || !entry->second.down || !applied_.contains(entry->first)) continue;
      applied_.erase(entry->first);
      outcome.versions.push_back(entry->first);
    }
    return outcome;
  }

  std::vector<std::int64_t> applied() const {
    std::vector<std::int64_t> versions;
    for (const auto& row : applied_) versions.push_back(row.first);
    return versions;
  }

 private:
  bool any_missing(const Folder& folder) const {
    return std::ranges::any_of(applied_, [&](const auto& row) { return !folder.contains(row.first); });
  }

  std::map<std::int64_t, int> applied_;
};

Migrator migrator_of(const Folder& folder, bool ignore_missing, bool strict) {
  std::vector<std::string> texts;
  texts.reserve(4 * folder.size());
  std::vector<EmbeddedFile> files;
  const auto add = [&](const std::string& name, const std::string& content) {
    files.push_back({texts.emplace_back(name), texts.emplace_back(content)});
  };
  for (const auto& [version, entry] : folder) {
    const std::string stem = std::to_string(version) + "_x";
    const std::string table = "\"t" + std::to_string(version) + "\"";
    if (entry.up)
      add(stem + (entry.down ? ".up.sql" : ".sql"), "CREATE TABLE " + table + "(x); -- " + std::to_string(*entry.up));
    if (entry.down) add(stem + ".down.sql", "DROP TABLE " + table);
  }
  return Migrator::from_files(files).with_options({.ignore_missing = ignore_missing, .strict_order = strict});
}

template <class Action>
ModelOutcome model_outcome_of(Action&& action) {
  try {
    return {std::nullopt, action().versions};
  } catch (const MigrationError& error) {
    return {static_cast<errc>(error.code().value()), {}};
  }
}

std::vector<std::int64_t> planned(const std::vector<PlannedMigration>& plan) {
  std::vector<std::int64_t> versions;
  for (const auto& step : plan) versions.push_back(step.migration->version);
  return versions;
}

constexpr std::int64_t versions[]{INT64_MIN, -2, 0, 1, 2, 3, 10, 20250101120000, INT64_MAX};

/// A file appears, disappears or changes.
void change(Folder& folder, Random& random) {
  const auto version = versions[random.below(std::size(versions))];
  Files files{random.one_in(8) ? std::nullopt : std::optional(random.one_in(8) ? 1 : 0), random.one_in(2)};
  if (random.one_in(8) || (!files.up && !files.down)) {
    folder.erase(version);
  } else {
    folder[version] = files;
  }
}

}  // namespace

TEST_CASE(
    "model: on random folders that change, run, run_to and undo do what sqlx's rules say, and plans foretell it") {
  spdlog::set_level(spdlog::level::off);
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  Random random(seed);
  std::map<std::optional<errc>, int> seen;
  for (int round = 0; round < 150; ++round) {
    Connection db(":memory:");
    Model model;
    Folder folder;
    for (int step = 0; step < 20; ++step) {
      CAPTURE(round, step);
      for (int changes = random.below(4); changes > 0; --changes) change(folder, random);
      const bool ignore_missing = random.one_in(2);
      const bool strict = random.one_in(4);
      const auto migrator = migrator_of(folder, ignore_missing, strict);
      const auto version = versions[random.below(std::size(versions))];
      ModelOutcome expected, actual, plan;
      if (random.one_in(3)) {
        plan = model_outcome_of([&] { return MigrationReport{planned(migrator.plan_undo(db, version)), {}}; });
        expected = model.undo(folder, ignore_missing, version);
        actual = model_outcome_of([&] { return migrator.undo(db, version); });
      } else {
        const auto target = random.one_in(3) ? std::optional(version) : std::nullopt;
        plan = model_outcome_of([&] { return MigrationReport{planned(migrator.plan(db, target)), {}}; });
        expected = model.run(folder, ignore_missing, strict, target);
        actual = model_outcome_of([&] { return target ? migrator.run_to(db, *target) : migrator.run(db); });
      }
      ++seen[expected.error];
      CHECK((actual.error == expected.error));
      CHECK(actual.versions == expected.versions);
      CHECK((plan == actual));
      const auto status = migrator.status(db);
      std::vector<std::int64_t> applied;
      for (const auto& row : status)
        if (row.state != migration_state::pending) applied.push_back(row.version);
      REQUIRE(applied == model.applied());
      std::vector<std::string> tables;
      for (const auto row : applied) tables.push_back("t" + std::to_string(row));
      std::ranges::sort(tables);
      CHECK(db.query_all<std::string>("SELECT name FROM sqlite_master WHERE name LIKE 't%' ORDER BY name") == tables);
    }
  }
  for (const auto error :
       {errc::migration_target, errc::migration_missing, errc::migration_mismatch, errc::migration_order})
    CHECK(seen[error] > 10);
  CHECK(seen[std::nullopt] > 300);
  spdlog::set_level(spdlog::level::info);
}
