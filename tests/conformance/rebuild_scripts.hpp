#pragma once

#include <string>
#include <vector>

#include "random.hpp"

/// Random schemas with rows, and scripts that rebuild, park, swap, drop and delete in them.
namespace statehouse::test {

/// One statement, and what it is to those who judge the script. All tables have the columns id, ref and n.
struct ScriptStatement {
  enum class kind { create, insert, replace, change, drop, rename, defer, control, neutral };
  kind is;
  std::string sql;
  std::string table{};  ///< Lower case.
  std::string to{};     ///< Of a renaming.
  bool reads = false;   ///< An INSERT from another table.
  bool sets_ref = false;
};

struct RandomScript {
  std::string schema;   ///< Version 1.
  std::string orphans;  ///< Statements that break references, for a connection without foreign keys.
  std::vector<ScriptStatement> statements;  ///< Version 2.
  /// The tables whose INSERT trigger writes the other one.
  std::vector<std::pair<std::string, std::string>> triggers;

  std::string script() const;
};

RandomScript random_script(unsigned seed);

}  // namespace statehouse::test
