#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "program.hpp"
#include "value.hpp"

namespace statehouse::queries {

/// Where the value of a parameter goes to as it is.
struct ParameterUse {
  const Column* column;
  bool stored;  ///< Into it; else it is compared with it.

  bool operator<(const ParameterUse& other) const {
    return std::pair(column, stored) < std::pair(other.column, other.stored);
  }
};

/// What is known of all runs of a program.
struct ProgramFacts {
  bool complete = false;                             ///< Else nothing is known.
  std::vector<Value> columns;                        ///< Of the rows that it gives, over all of them.
  std::map<int, std::set<ParameterUse>> parameters;  ///< By number, from 1; those that are nowhere are not there.
};

/// Runs a program over all its paths at once, with sets of values (value.hpp), until nothing new comes out. States are
/// kept apart by where they are and by the numbers in those registers that steer: return addresses and flags.
class Machine {
 public:
  Machine(const Schema& schema, std::vector<Operation> program);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  ProgramFacts run();

  // What instructions do, beside changing their state.
  const Schema& schema() const { return schema_; }
  const std::vector<Operation>& program() const { return program_; }
  /// The record of a cursor that the program fills; `where` as in Cursor.
  Value& kept_at(int where) { return kept_[where]; }
  void keep(int where, const Value& record);
  void give_row(const State& state, int first, int count);
  /// An instruction may come there in this state.
  void reach(int address, const State& state);
  void meet(std::uint64_t parameters, const Column* column, bool stored);

 private:
  using Key = std::pair<int, std::vector<std::int64_t>>;

  Key key_of(int address, const State& state) const;
  bool run_once();

  const Schema& schema_;
  const std::vector<Operation> program_;
  std::vector<int> steering_;
  std::map<Key, State> states_;
  std::set<Key> open_;
  std::map<int, Value> kept_;
  bool grown_ = false;
  ProgramFacts facts_;
};

/// One instruction in one state.
struct Step {
  Machine& machine;
  const Operation& op;
  const int address;
  State state;

  Value& p1() { return state.at(op.p1); }
  Value& p2() { return state.at(op.p2); }
  Value& p3() { return state.at(op.p3); }
  Cursor& cursor(int number) { return state.cursors[number]; }
  void go(int to) { machine.reach(to, state); }
  void go_on() { go(address + 1); }
  /// Here or there.
  void may_jump() {
    go(op.p2);
    go_on();
  }
};

/// What an instruction does. False if it is not known, or what it does cannot be told.
using Instruction = bool (*)(Step&);

using InstructionTable = std::map<std::string, Instruction, std::less<>>;

/// What changes nothing that is looked at.
bool pass(Step& step);

/// nullptr if it is in none of these.
Instruction flow_instruction(const std::string& code);
Instruction cursor_instruction(const std::string& code);
Instruction record_instruction(const std::string& code);
Instruction value_instruction(const std::string& code);

/// What a cursor has in a place of its records.
Value field_of(Step& step, const Cursor& from, int index);

/// Of a comparison of registers: parameters meet columns.
void compare(Step& step, const Value& one, const Value& other);

}  // namespace statehouse::queries
