#include "migrate/run/script_reading.hpp"

#include <algorithm>

#include "text/trim.hpp"

namespace statehouse::detail {
namespace {

/// The statement's first words, for a message: "DELETE FROM account".
std::string beginning(const SqlStatement& statement) {
  constexpr std::size_t words = 3;
  const auto& last = statement.tokens[std::min(words, statement.tokens.size()) - 1].text;
  return std::string(statement.text.substr(0, static_cast<std::size_t>(last.end() - statement.text.begin())));
}

}  // namespace

ScriptReading::ScriptReading(ScratchSchema& schema, const Migration& migration) : schema_(schema), sql_(migration.sql) {
  SqlScanner scanner(trim(sql_));
  while (const auto statement = scanner.next_statement())
    read(*statement, static_cast<std::size_t>(statement->text.data() - sql_.data()));
  finish();
}

void ScriptReading::read(const SqlStatement& statement, std::size_t offset) {
  const std::size_t line = line_of(sql_, offset);
  const auto effect = schema_.follow(statement);
  for (const auto& write : effect.writes) {
    note_write(write, effect.reads);
    if (!more_ && !is_harmless(write, statement)) more_ = {line, beginning(statement)};
  }
  if (effect.gone.size() == 1 && effect.created.size() == 1) {
    note_renaming(effect.gone[0], effect.created[0]);
  } else {
    created_.insert(effect.created.begin(), effect.created.end());
    for (const std::string& table : effect.gone) note_drop(table, effect, offset);
  }
  if (!effect.failure.empty() && !failure_) failure_ = {line, effect.failure};
}

/// Rows come back by an INSERT that takes them from where they were parked, references by an UPDATE of their column,
/// too.
void ScriptReading::note_write(const ScratchSchema::Write& write, bool reads) {
  for (Loss& loss : losses_) {
    if (!same_ascii(loss.now, write.table)) continue;
    const bool refers_again =
        !takes_rows(loss.reference) && std::ranges::any_of(write.columns, [&](const std::string& column) {
          return names_column(loss.reference, column);
        });
    if ((write.inserts && reads) || refers_again) loss.put_back = true;
  }
}

bool ScriptReading::is_harmless(const ScratchSchema::Write& write, const SqlStatement& statement) {
  if (write.table.empty()) return false;
  const bool referred_to = schema_.is_referred_to(write.table);
  if (!created_.contains(write.table)) return !referred_to && !schema_.refers(write.table);
  // Rows that nobody can refer to yet; and a plain INSERT takes nothing from anybody.
  return !referred_to || (write.inserts_only && !says_replace(statement) && !schema_.may_replace(write.table));
}

void ScriptReading::note_drop(const std::string& table, const ScratchSchema::Effect& effect, std::size_t offset) {
  const std::size_t line = line_of(sql_, offset);
  for (const Reference& reference : effect.taken) losses_.push_back({table, offset, line, reference, reference.table});
  if (created_.erase(table) == 0 || !effect.references.empty())
    dropped_.push_back({table, line, !effect.references.empty()});
}

void ScriptReading::note_renaming(const std::string& from, const std::string& to) {
  const auto is = [](const std::string& name) { return [&](const auto& one) { return same_ascii(one.table, name); }; };
  if (created_.erase(from) > 0) {
    created_.insert(to);
    if (std::ranges::any_of(dropped_, is(to))) rebuilt_.push_back(to);
  }
  for (Loss& loss : losses_) {
    if (same_ascii(loss.now, from)) loss.now = to;
  }
}

void ScriptReading::finish() {
  // What is gone itself has lost nothing.
  std::erase_if(losses_, [&](const Loss& loss) { return loss.put_back || !schema_.exists(loss.now); });
  for (const Dropped& dropped : dropped_) {
    const bool rebuilt =
        std::ranges::any_of(rebuilt_, [&](const std::string& table) { return same_ascii(table, dropped.table); });
    if (!more_ && !rebuilt && dropped.referred_to) more_ = {dropped.line, "DROP TABLE " + dropped.table};
  }
}

}  // namespace statehouse::detail
