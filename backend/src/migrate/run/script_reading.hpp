#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "migrate/run/scratch_schema.hpp"
#include "statehouse/migration.hpp"
#include "text/ascii.hpp"

namespace statehouse::detail {

/// What a script does to tables that foreign keys connect, read from first to last statement.
class ScriptReading {
 public:
  /// Follows the script on `schema`.
  ScriptReading(ScratchSchema& schema, const Migration& migration);

  /// Something at a place.
  struct Finding {
    std::size_t line;
    std::string text;
  };
  /// What DROP TABLE takes from another table, unless the script puts it back.
  struct Loss {
    std::string dropped;
    std::size_t offset;  // of the statement in the file
    std::size_t line;
    Reference reference;  // as it was called then
    std::string now;      // as it is called after all renamings
    bool put_back = false;
  };

  /// Tables that were there before, were dropped, and have their name from one that the script created.
  const std::vector<std::string>& rebuilt() const noexcept { return rebuilt_; }
  /// The first statement, apart from a rebuild's own, for which it matters whether foreign keys are on.
  const std::optional<Finding>& more() const noexcept { return more_; }
  /// By DROP TABLE, in their order, and not put back.
  const std::vector<Loss>& losses() const noexcept { return losses_; }
  /// What SQLite said of the first change of the schema that cannot work.
  const std::optional<Finding>& failure() const noexcept { return failure_; }

 private:
  struct Dropped {
    std::string table;
    std::size_t line;
    bool referred_to;
  };
  void read(const SqlStatement& statement, std::size_t offset);
  void note_write(const ScratchSchema::Write& write, bool reads);
  void note_drop(const std::string& table, const ScratchSchema::Effect& effect, std::size_t offset);
  void note_renaming(const std::string& from, const std::string& to);
  bool is_harmless(const ScratchSchema::Write& write, const SqlStatement& statement);
  void finish();

  using Names = std::set<std::string, AsciiLess>;
  ScratchSchema& schema_;
  const std::string_view sql_;
  Names created_;
  std::vector<Dropped> dropped_;
  std::vector<std::string> rebuilt_;
  std::optional<Finding> more_;
  std::vector<Loss> losses_;
  std::optional<Finding> failure_;
};

}  // namespace statehouse::detail
