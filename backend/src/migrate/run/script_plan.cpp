#include "migrate/run/script_plan.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "migrate/run/script.hpp"
#include "migrate/run/script_reading.hpp"
#include "migrate/source/migration_file.hpp"
#include "text/trim.hpp"

namespace statehouse::detail {
namespace {

std::string at(std::size_t line) {
  return " (line " + std::to_string(line) + ")";
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// "the rows of task and the references of note": what is lost with the rows of a table.
std::string lost(const std::vector<ScriptReading::Loss>& losses) {
  std::string text;
  for (const auto& loss : losses)
    text += (text.empty() ? "" : ", ") + std::string(takes_rows(loss.reference) ? "rows" : "references") + " of " +
            loss.reference.table + " (ON DELETE " + loss.reference.on_delete + ", by DROP TABLE " + loss.dropped +
            " in line " + std::to_string(loss.line) + ")";
  return text;
}

/// Makes the plan of one script.
class Planning {
 public:
  Planning(const Migration& migration, const ScriptFacts& facts, foreign_keys_mode mode)
      : migration_(migration), facts_(facts), mode_(mode) {}

  ScriptPlan run(const ScriptReading* reading) {
    plan_.leaves_transaction = facts_.commit.has_value();
    if (facts_.commit) tell_of_commit(line_of_statement(*facts_.commit));
    if (mode_ == foreign_keys_mode::automatic) {
      if (reading != nullptr) judge(*reading);
      tell_of_idle_pragma();
    } else {
      plan_.switched = mode_ == foreign_keys_mode::on;
      plan_.reason = migration_.foreign_keys == foreign_keys_mode::automatic ? "MigratorOptions::foreign_keys says so"
                                                                             : "its first line says so";
      note(plan_.off() ? "runs with foreign keys off, which are checked before it commits: " + plan_.reason
                       : "runs with foreign keys on: " + plan_.reason);
    }
    if (reading != nullptr) {
      if (const auto& failure = reading->failure()) tell_of_failure(*failure);
    }
    return std::move(plan_);
  }

 private:
  void remark(problem_severity severity, std::size_t line, const std::string& message) {
    plan_.remarks.push_back({severity, migration_.file, line, migration_.version,
                             "the migration file '" + migration_.file + "' " + message});
  }
  void note(const std::string& message) { remark(problem_severity::note, 0, message); }
  void warn(std::size_t line, const std::string& message) { remark(problem_severity::warning, line, message); }
  std::size_t line_of_statement(const SqlStatement& statement) const {
    return line_of(migration_.sql, static_cast<std::size_t>(statement.text.data() - migration_.sql.data()));
  }

  void judge(const ScriptReading& reading) {
    if (reading.rebuilt().empty() || facts_.defers || facts_.commit) return tell_of_losses(reading);
    const std::string rebuilds = "rebuilds " + joined(reading.rebuilt());
    const auto& more = reading.more();
    if (!more) {
      plan_.switched = false;
      plan_.reason = "it " + rebuilds + " and writes nothing else that a foreign key is concerned with";
      return note("runs with foreign keys off, which are checked before it commits: " + plan_.reason);
    }
    plan_.reason = "it " + rebuilds + " and does more than that: " + more->text + at(more->line);
    for (const auto& loss : reading.losses()) watch(loss);
    const std::string message = "runs with foreign keys on, as SQLite has it in a transaction: " + plan_.reason;
    if (reading.losses().empty()) return note(message);
    warn(reading.losses()[0].line,
         message + ". It is rolled back if that takes " + lost(reading.losses()) + ". " + std::string(ways_to_rebuild));
  }

  void watch(const ScriptReading::Loss& loss) {
    auto watched = std::ranges::find(plan_.watched, loss.offset, &ScriptPlan::Watched::offset);
    if (watched == plan_.watched.end()) watched = plan_.watched.insert(watched, {loss.dropped, loss.offset, {}});
    watched->taken.push_back(loss.reference);
  }

  void tell_of_losses(const ScriptReading& reading) {
    if (reading.losses().empty() || (facts_.commit && facts_.keys_off)) return;
    warn(reading.losses()[0].line, "runs with foreign keys on, as SQLite has it in a transaction, and takes " +
                                       lost(reading.losses()) +
                                       ". To keep them, rebuild a table in this order, with nothing else in the file: "
                                       "CREATE the new one under another name, copy, DROP the old one, RENAME; to have "
                                       "it so, begin the file with -- foreign-keys on");
  }

  void tell_of_commit(std::size_t line) {
    warn(line,
         "commits in the middle" + at(line) +
             ", and runs as it does in sqlx: if it fails after that, what was committed stays, it is not recorded, and "
             "the next run begins it again. For a rebuild that is not needed: without COMMIT and BEGIN its foreign "
             "keys are off, and it is one transaction");
  }

  void tell_of_idle_pragma() {
    if (!facts_.keys_off || facts_.commit || plan_.off()) return;
    const std::size_t line = line_of_statement(*facts_.keys_off);
    warn(line, "says PRAGMA foreign_keys = OFF" + at(line) +
                   ", which does nothing inside a transaction: they are on. Remove it; where they have to be off, and "
                   "checked before it commits, begin the file with -- foreign-keys off");
  }

  void tell_of_failure(const ScriptReading::Finding& failure) {
    if (const std::string advice = advice_on(failure.text); !advice.empty())
      warn(failure.line, "will fail in line " + std::to_string(failure.line) + ": " + failure.text + ". " + advice);
  }

  const Migration& migration_;
  const ScriptFacts& facts_;
  const foreign_keys_mode mode_;
  ScriptPlan plan_;
};

}  // namespace

ScriptPlanner::ScriptPlanner(foreign_keys_mode mode, std::span<const ScriptFacts> scripts, Connection* database)
    : mode_(mode) {
  if (std::ranges::none_of(scripts, &ScriptFacts::drops_table)) return;
  schema_ = std::make_unique<ScratchSchema>();
  if (database != nullptr) schema_->copy(*database);
}
ScriptPlanner::~ScriptPlanner() = default;

ScriptPlan ScriptPlanner::plan(const Migration& migration, const ScriptFacts& facts) {
  if (migration.no_transaction) {
    follow(migration);
    return {};
  }
  const bool chosen = migration.foreign_keys != foreign_keys_mode::automatic;
  Planning planning(migration, facts, chosen ? migration.foreign_keys : mode_);
  if (!schema_) return planning.run(nullptr);
  const ScriptReading reading(*schema_, migration);
  return planning.run(&reading);
}

void ScriptPlanner::follow(const Migration& migration) {
  if (schema_) ScriptReading(*schema_, migration);
}

ScriptPlan ScriptPlanner::plan_alone(const Migration& migration, const ScriptFacts& facts) {
  if (!schema_) return plan(migration, facts);
  ScriptPlan result;
  schema_->forgetting([&] { result = plan(migration, facts); });
  return result;
}

MigrationProblem remark_on(const Violations& earlier, const Migration& migration) {
  return {problem_severity::warning, migration.file, 0, migration.version,
          "foreign keys are violated in this database already, before " + describe(migration) +
              " runs: " + earlier.text() +
              ". That does not stop it; 'PRAGMA foreign_key_check' lists them all: delete or repair the rows"};
}

std::string advice_on(const std::string& failure) {
  for (const std::string kind : {"view", "trigger"}) {
    const std::string beginning = "error in " + kind + ' ';
    if (!failure.starts_with(beginning)) continue;
    const std::string_view rest = std::string_view(failure).substr(beginning.size());
    const std::string name(rest.substr(0, std::min(rest.find(" after "), rest.find(": "))));
    const std::string verb = kind == "view" ? "VIEW " : "TRIGGER ";
    return "The " + kind + " " + name + " names what is changed: let the script DROP " + verb + name +
           " first, and CREATE it again at its end";
  }
  return {};
}

}  // namespace statehouse::detail
