#pragma once

#include <string>
#include <string_view>
#include <vector>

struct sqlite3;

namespace statehouse::queries {

/// An instruction of the program that SQLite makes of a statement (https://www.sqlite.org/opcode.html).
struct Operation {
  std::string code;
  int p1 = 0;
  int p2 = 0;
  int p3 = 0;
  std::string p4;
  int p5 = 0;
};

/// What EXPLAIN says, without the programs of triggers. Empty if it says nothing.
std::vector<Operation> program_of(sqlite3* database, std::string_view sql);

}  // namespace statehouse::queries
