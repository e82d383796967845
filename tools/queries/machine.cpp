#include "machine.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace statehouse::queries {
namespace {

/// More are of a statement that nobody wrote by hand.
constexpr std::size_t most_steps = 20'000;
/// There are statements of which what is kept grows with every round.
constexpr unsigned most_rounds = 50;

constexpr std::array<std::string_view, 8> steering_codes{"EndCoroutine", "Gosub",         "If",     "IfNot",
                                                         "IfPos",        "InitCoroutine", "Return", "Yield"};

Instruction find_instruction(const std::string& code) {
  for (const auto find : {flow_instruction, value_instruction, cursor_instruction, record_instruction})
    if (const Instruction found = find(code)) return found;
  return nullptr;
}

}  // namespace

bool pass(Step& step) {
  step.go_on();
  return true;
}

Machine::Machine(const Schema& schema, std::vector<Operation> program) : schema_(schema), program_(std::move(program)) {
  std::set<int> steering;
  for (const Operation& op : program_)
    if (std::ranges::find(steering_codes, op.code) != steering_codes.end()) steering.insert(op.p1);
  steering_.assign(steering.begin(), steering.end());
}

ProgramFacts Machine::run() {
  if (program_.empty()) return {};
  unsigned rounds = 0;
  do {  // what is kept by one path may be read by another that was there before
    if (++rounds > most_rounds) return {};
    grown_ = false;
    states_.clear();
    reach(0, State());
    if (!run_once()) return {};
  } while (grown_);
  facts_.complete = true;
  return std::move(facts_);
}

bool Machine::run_once() {
  std::size_t steps = 0;
  while (!open_.empty()) {
    const Key key = *open_.begin();
    open_.erase(open_.begin());
    if (++steps > most_steps || key.first < 0 || key.first >= static_cast<int>(program_.size())) return false;
    const Operation& op = program_[static_cast<std::size_t>(key.first)];
    const Instruction instruction = find_instruction(op.code);
    Step step{*this, op, key.first, states_[key]};
    if (instruction == nullptr || !instruction(step)) return false;
  }
  return true;
}

Machine::Key Machine::key_of(int address, const State& state) const {
  std::vector<std::int64_t> values;
  for (const int index : steering_) {
    const auto place = static_cast<std::size_t>(index);
    const auto known = place < state.registers.size() ? state.registers[place].constant : std::nullopt;
    values.push_back(known.value_or(std::numeric_limits<std::int64_t>::min()));
  }
  return {address, std::move(values)};
}

void Machine::reach(int address, const State& state) {
  Key key = key_of(address, state);
  const auto [place, added] = states_.emplace(key, state);
  if (added || join(place->second, state)) open_.insert(std::move(key));
}

void Machine::keep(int where, const Value& record) {
  grown_ = join(kept_[where], record) || grown_;
}

void Machine::give_row(const State& state, int first, int count) {
  auto& columns = facts_.columns;
  columns.resize(std::max(columns.size(), static_cast<std::size_t>(count)));
  for (int i = 0; i < count; ++i) {
    const auto place = static_cast<std::size_t>(first) + static_cast<std::size_t>(i);
    if (place < state.registers.size()) join(columns[static_cast<std::size_t>(i)], state.registers[place]);
  }
}

void Machine::meet(std::uint64_t parameters, const Column* column, bool stored) {
  for (int i = 0; column != nullptr && i < 64; ++i)
    if ((parameters >> i & 1U) != 0) facts_.parameters[i + 1].insert({column, stored});
}

}  // namespace statehouse::queries
