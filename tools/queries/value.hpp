#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "schema.hpp"

/// What the program of a statement may have in its registers and cursors: sets of values in place of values. All of
/// them can only grow when they are joined, up to an end, so that a run over all paths comes to one.
namespace statehouse::queries {

struct Value {
  Classes classes = 0;                               ///< None: nothing was put there yet.
  const Column* column = nullptr;                    ///< All that is not NULL comes from there.
  std::uint64_t parameters = 0;                      ///< It may be one of these itself: bit 0 is the first.
  std::optional<std::int64_t> constant;              ///< It is this.
  std::shared_ptr<const std::vector<Value>> record;  ///< Its fields, where it is one.
  int first_register = 0;                            ///< Whence a record was made.

  const std::vector<Value>& fields() const;
  bool nullable() const { return (classes & class_null) != 0; }
};

/// A value of these classes, of which no more is known.
Value value_of(Classes classes);
Value value_of(const Column& column);
Value record_of(std::vector<Value> fields);
/// What it is after the other way, too. `into` is changed; true if it has grown.
bool join(Value& into, const Value& other);
/// What an affinity, as SQLite has them from 'A' to 'E', makes of these classes.
Classes with_affinity(char affinity, Classes classes);

enum class cursor_kind { unknown, stored, kept, pseudo };

struct Cursor {
  cursor_kind kind = cursor_kind::unknown;
  int where = 0;             ///< The root page, the cursor that was opened first, or the register.
  bool positioned = true;    ///< It may be on a row.
  bool on_null_row = false;  ///< It may be on the row of NULLs that an outer join makes.

  bool operator==(const Cursor&) const = default;
};

struct State {
  std::deque<Value> registers;  ///< A reference to one stays good while others come to be: instructions hold several.
  std::map<int, Cursor> cursors;

  Value& at(int index);
};

/// True if `into` has grown.
bool join(State& into, const State& other);

}  // namespace statehouse::queries
