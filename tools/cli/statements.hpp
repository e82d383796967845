#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace statehouse::cli {

/// SQLite does not take a statement, or it fails.
struct StatementError : std::runtime_error {
  StatementError(std::size_t its_line, const std::string& message, int its_code)
      : std::runtime_error(message), line(its_line), code(its_code) {}
  std::size_t line;  ///< Counted from 1.
  int code;          ///< SQLite's, extended.
};

/// The statements of a script, one after the other, on a connection that is nobody else's meanwhile.
class Statements {
 public:
  /// `script` must outlive this. Ends at the first NUL byte. Takes time as it is long, however many statements it has.
  Statements(sqlite3* database, const std::string& script) : database_(database), script_(script) {}

  /// Compiles the next one; false when there is none. Throws StatementError.
  bool next();
  /// Runs it to its end; rows are passed over. Throws StatementError.
  void run();
  /// Goes on behind a statement that does not compile, at the ';' that ends it; false where there is none.
  bool skip();
  /// Where it begins, counted from 1.
  std::size_t line() const { return line_at(begin_); }
  std::string_view text() const { return script_.substr(begin_, end_ - begin_); }

 private:
  std::size_t line_at(std::size_t offset) const;
  void pass_over_blanks();

  sqlite3* database_;
  std::string_view script_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement_{nullptr, &sqlite3_finalize};
};

}  // namespace statehouse::cli
