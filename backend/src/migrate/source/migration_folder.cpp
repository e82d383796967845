#include "statehouse/migration_folder.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "migrate/run/script.hpp"
#include "migrate/source/folder_contents.hpp"
#include "migrate/source/migration_file.hpp"
#include "migrate/source/script_input.hpp"
#include "text/ascii.hpp"
#include "text/trim.hpp"
#include "text/unicode.hpp"

namespace statehouse {
namespace {

/// The first line that does not end as the first one does.
std::optional<std::size_t> first_odd_line(std::string_view text) {
  std::optional<bool> crlf;
  std::size_t line = 1;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1), ++line) {
    const bool this_crlf = end > 0 && text[end - 1] == '\r';
    if (crlf && *crlf != this_crlf) return line;
    crlf = this_crlf;
  }
  return std::nullopt;
}

/// "-- foreign keys: off" and its like, and nothing more.
bool speaks_of_foreign_keys(std::string_view line) {
  std::string letters;
  for (const char c : line) {
    const char lower = detail::ascii_lower(c);
    if (lower >= 'a' && lower <= 'z') letters += lower;
  }
  return line.starts_with("--") && (letters == "foreignkeyson" || letters == "foreignkeysoff");
}

class Verification {
 public:
  std::vector<MigrationProblem> run(const std::filesystem::path& directory) {
    collecting(directory, [&] {
      for (const auto& path : detail::sorted_entries(directory)) collecting(path, [&] { look_at(path); });
    });
    compare_versions();
    if (migrations_.empty() &&
        std::ranges::find(problems_, problem_severity::error, &MigrationProblem::severity) == problems_.end())
      collecting(directory, [&] { detail::fail_without_migrations(directory); });
    plan_scripts();
    return std::move(problems_);
  }

 private:
  template <class Rule>
  void collecting(const std::filesystem::path& file, Rule&& rule) {
    try {
      rule();
    } catch (const MigrationError& error) {
      add({problem_severity::error, detail::shown(file), error.line(), error.version(), error.what()});
    }
  }

  /// By file and line; what is said of the same place stays in its order.
  void add(MigrationProblem problem) {
    constexpr auto place = [](const MigrationProblem& one) { return std::tie(one.file, one.line); };
    const auto next = std::ranges::upper_bound(problems_, place(problem), {}, place);
    problems_.insert(next, std::move(problem));
  }

  void warn(const Migration& migration, std::size_t line, const std::string& message) {
    add({problem_severity::warning, migration.file, line, migration.version,
         "the migration file '" + migration.file + "' " + message});
  }

  void look_at(const std::filesystem::path& path) {
    const std::string file = detail::shown(path);
    if (detail::is_folder_with_sql(path)) return warn_of_folder(file);
    if (!detail::is_file(path)) return;
    const std::string name = detail::to_valid_utf8(path.filename().string());
    auto parsed = detail::parse_file_name(name);
    if (!parsed) {
      if (detail::looks_like_sql(name))
        add({problem_severity::warning,
             file,
             0,
             {},
             "'" + file +
                 "' is passed over: its name is not <version>_<description>.sql, all in lower case at "
                 "the end. Rename it, or move it elsewhere"});
      return;
    }
    Migration& migration = migrations_.emplace_back(detail::make_migration(std::move(*parsed), file, {}));
    if (name != path.filename().string())
      warn(migration, 0, "has a name that is not UTF-8: rename it, or its description is not what it seems");
    migration = detail::make_migration({migration.version, migration.description, migration.kind}, file,
                                       detail::read_content(path));
    warn_of_version(migration);
    look_into(migration);
  }

  void warn_of_folder(const std::string& file) {
    add({problem_severity::warning,
         file,
         0,
         {},
         "the .sql files in '" + file + "' are not read: a folder in a folder of migrations is passed over"});
  }

  void warn_of_version(const Migration& migration) {
    const std::string meant = detail::name_with_longer_version(migration);
    if (meant.empty()) return;
    warn(migration, 0,
         "has the version " + std::to_string(migration.version) +
             ", since the first '_' ends it. If more was meant, name it '" + meant +
             "', unless it is applied somewhere already");
  }

  void look_into(const Migration& migration) {
    warn_of_line_ends(migration);
    if (migration.sql.starts_with("\xEF\xBB\xBF"))
      warn(migration, 1,
           "begins with a byte order mark, which is part of its checksum: save it as UTF-8 without one, "
           "unless it is applied somewhere already");
    collecting(migration.file, [&] {
      for (auto& problem : detail::check_input(migration)) add(std::move(problem));
    });
    if (migration.no_transaction) return detail::check_content(migration);
    const auto first_line = std::string_view(migration.sql).substr(0, migration.sql.find('\n'));
    if (first_line.find("no-transaction") != std::string_view::npos)
      warn(migration, 1,
           "runs in a transaction, although its first line says no-transaction: its first bytes must be "
           "'-- no-transaction', with one blank and nothing before");
    if (migration.foreign_keys == foreign_keys_mode::automatic && speaks_of_foreign_keys(first_line))
      warn(migration, 1,
           "does not say what its first line seems to say of foreign keys: its first bytes must be "
           "'-- foreign-keys on' or '-- foreign-keys off'");
    detail::check_content(migration);
    detail::check_script(migration);
  }

  void warn_of_line_ends(const Migration& migration) {
    constexpr std::string_view advice =
        "They are part of its checksum: have '*.sql text eol=lf' in .gitattributes, and convert the file unless it is "
        "applied somewhere already";
    if (const auto line = first_odd_line(migration.sql)) {
      warn(migration, *line, "has line ends of both kinds, LF and CRLF. " + std::string(advice));
    } else if (migration.sql.find("\r\n") != std::string::npos) {
      warn(migration, 0, "has CRLF line ends. " + std::string(advice));
    }
  }

  void compare_versions() {
    detail::sort(migrations_);
    for (std::size_t i = 0; i < migrations_.size(); ++i) {
      const Migration& migration = migrations_[i];
      if (i > 0 && detail::are_twins(migrations_[i - 1], migration))
        collecting(migration.file, [&] { detail::fail_twins(migrations_[i - 1], migration); });
      const bool up = migration.kind == migration_kind::up;
      const bool down = migration.kind == migration_kind::down;
      if (up && !has(migration.version, [](auto kind) { return kind == migration_kind::down; }))
        warn(migration, 0,
             "has no down file beside it: the version cannot be reverted, and is skipped when others are");
      if (down && !has(migration.version, [](auto kind) { return kind != migration_kind::down; }))
        warn(migration, 0, "has no up file beside it: nothing applies this version");
    }
  }

  /// What the scripts do to each other's tables, from the first to the last; a down file as if it came next.
  void plan_scripts() {
    std::vector<detail::ScriptFacts> facts;
    facts.reserve(migrations_.size());
    for (const Migration& migration : migrations_) facts.push_back(detail::examine(detail::trim(migration.sql)));
    detail::ScriptPlanner planner(foreign_keys_mode::automatic, facts, nullptr);
    for (std::size_t i = 0; i < migrations_.size(); ++i) {
      const Migration& migration = migrations_[i];
      const bool down = migration.kind == migration_kind::down;
      if (facts[i].transaction_control && !migration.no_transaction) {  // refused, and told
        if (!down) planner.follow(migration);
        continue;
      }
      auto plan = down ? planner.plan_alone(migration, facts[i]) : planner.plan(migration, facts[i]);
      for (auto& remark : plan.remarks) add(std::move(remark));
    }
  }

  template <class Kind>
  bool has(std::int64_t version, Kind&& wanted) const {
    const auto same = std::ranges::equal_range(migrations_, version, {}, &Migration::version);
    return std::ranges::any_of(same, wanted, &Migration::kind);
  }

  std::vector<Migration> migrations_;
  std::vector<MigrationProblem> problems_;
};

}  // namespace

std::vector<MigrationProblem> verify_folder(const std::filesystem::path& directory) {
  return Verification().run(directory);
}

}  // namespace statehouse
