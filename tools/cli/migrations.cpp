#include "migrations.hpp"

#include <boost/json/array.hpp>
#include <string>

#include "arguments.hpp"
#include "database.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "remarks.hpp"
#include "utf8.hpp"

namespace statehouse::cli {
namespace {

/// What follows a backslash.
char32_t take_escaped(std::u32string_view& text) {
  const char32_t letter = text.empty() ? U'\0' : text.front();
  if (!text.empty()) text.remove_prefix(1);
  switch (letter) {
    case U'r': return U'\r';
    case U'n': return U'\n';
    case U't': return U'\t';
    case U'\\': return U'\\';
    case U'u': {
      const std::u32string_view digits = text.substr(0, 4);
      if (digits.size() != 4 || digits.find_first_not_of(U"0123456789abcdefABCDEF") != digits.npos) break;
      text.remove_prefix(4);
      return static_cast<char32_t>(std::stoul(std::string(digits.begin(), digits.end()), nullptr, 16));
    }
    default: break;
  }
  throw UsageError(
      R"(--ignored-chars: after a backslash comes r, n, t, a second one, or u and four hexadecimal digits)");
}

std::u32string parse_characters(std::string_view text) {
  const auto typed = characters_of(text);
  if (!typed) throw UsageError("--ignored-chars: this is not UTF-8");
  std::u32string characters;
  for (std::u32string_view rest = *typed; !rest.empty();) {
    const char32_t character = rest.front();
    rest.remove_prefix(1);
    characters += character == U'\\' ? take_escaped(rest) : character;
  }
  return characters;
}

void tell(const MigrationProgress& progress, const Changing& changing, Output& output) {
  const Migration& migration = progress.migration;
  output.document()[changing.list].as_array().push_back(json::object{{"version", migration.version},
                                                                     {"description", migration.description},
                                                                     {"file", migration.file},
                                                                     {"elapsed_ns", progress.elapsed.count()},
                                                                     {"remarks", remarks_json(progress.remarks)}});
  output.line(std::string(changing.done) + ' ' + std::to_string(migration.version) + ' ' + migration.description +
                  " (" + to_text(progress.elapsed) + ')',
              style::good);
  for (const MigrationProblem& remark : progress.remarks) {
    if (remark.severity == problem_severity::warning) output.note("warning: " + remark.message);
  }
}

}  // namespace

const char* kind_name(migration_kind kind) {
  switch (kind) {
    case migration_kind::up: return "up";
    case migration_kind::down: return "down";
    case migration_kind::simple: break;
  }
  return "simple";
}

Connection open_or_imagine(const Arguments& arguments, Output& output) {
  const Place place(arguments);
  const bool exists = place.is_there();
  output.document()["database"] = place.text();
  output.document()["exists"] = exists;
  if (exists) return place.open_to_read();
  output.line("there is no database " + place.text() + " yet");
  return place.open_nothing();
}

Migrator read_migrations(const Arguments& arguments, Output& output, bool ignore_missing) {
  const Place place(arguments);  // wrong usage is told first
  return read_folder(arguments, output, ignore_missing);
}

Migrator read_folder(const Arguments& arguments, Output& output, bool ignore_missing) {
  MigratorOptions options;
  options.table = arguments.table;
  options.ignore_missing = ignore_missing;
  options.strict_order = arguments.strict;
  options.ignored_characters = parse_characters(arguments.ignored_characters);
  auto migrations = Migrator::from_directory(arguments.source).with_options(std::move(options));
  auto& ignored = output.document()["ignored_files"].emplace_array();
  for (const auto& name : migrations.ignored()) {
    ignored.emplace_back(name);
    output.note("'" + name + "' is passed over: its name is not <version>_<description>.sql");
  }
  return migrations;
}

MigrationReport change_database(const Migrator& migrations, const Arguments& arguments, Output& output,
                                const Changing& changing) {
  const Place place(arguments);
  const bool created = !place.is_there();
  output.document()["database"] = place.text();
  output.document()["created"] = false;
  output.document()[changing.list].emplace_array();
  auto connection = place.open_to_write();
  output.document()["created"] = created;
  if (created) output.line("created " + place.text(), style::good);
  Progress watch(std::string(changing.doing), "migrations");
  MigratorOptions options = migrations.options();
  options.on_progress = [&](const MigrationProgress& progress) {
    watch.update(static_cast<std::int64_t>(progress.index), static_cast<std::int64_t>(progress.total));
    tell(progress, changing, output);
  };
  const auto report = changing.action(migrations.with_options(std::move(options)), connection);
  output.document()["elapsed_ns"] = report.elapsed.count();
  return report;
}

void apply(const Migrator& migrations, const Arguments& arguments, Output& output) {
  if (const Place place(arguments); !place.is_there()) {
    Connection nothing = place.open_nothing();
    migrations.plan(nothing, arguments.target_version);  // what is refused creates no database
  }
  const auto action = [&](const Migrator& migrator, Connection& connection) {
    return arguments.target_version ? migrator.run_to(connection, *arguments.target_version) : migrator.run(connection);
  };
  const auto report =
      change_database(migrations, arguments, output, {"applied", "applied", "applying migrations", action});
  output.line(report.versions.empty()
                  ? "nothing to apply"
                  : count_text(report.versions.size(), "migration") + " applied in " + to_text(report.elapsed));
}

}  // namespace statehouse::cli
