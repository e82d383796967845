#include "statements.hpp"

#include <algorithm>
#include <cctype>

namespace statehouse::cli {

bool Statements::next() {
  statement_.reset();
  begin_ = end_;
  pass_over_blanks();
  while (begin_ < script_.size()) {
    const char* rest = nullptr;
    sqlite3_stmt* compiled = nullptr;
    // Without a length, or SQLite would copy all the rest for each statement.
    const int code = sqlite3_prepare_v2(database_, script_.data() + begin_, -1, &compiled, &rest);
    statement_.reset(compiled);
    if (code != SQLITE_OK) {
      const int offset = sqlite3_error_offset(database_);
      throw StatementError(line_at(begin_ + static_cast<std::size_t>(std::max(offset, 0))), sqlite3_errmsg(database_),
                           sqlite3_extended_errcode(database_));
    }
    end_ = rest == nullptr ? script_.size() : static_cast<std::size_t>(rest - script_.data());
    if (statement_ != nullptr) return true;
    begin_ = end_;  // a comment, or a semicolon alone
    pass_over_blanks();
  }
  return false;
}

bool Statements::skip() {
  for (std::size_t semicolon = script_.find(';', begin_); semicolon != std::string_view::npos;
       semicolon = script_.find(';', semicolon + 1)) {
    end_ = semicolon + 1;
    if (sqlite3_complete(std::string(text()).c_str()) == 1) return true;
  }
  return false;
}

void Statements::run() {
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(statement_.get());
  if (code == SQLITE_DONE) return;
  const StatementError error(line(), sqlite3_errmsg(database_), sqlite3_extended_errcode(database_));
  statement_.reset();
  throw error;
}

std::size_t Statements::line_at(std::size_t offset) const {
  return 1 + static_cast<std::size_t>(std::ranges::count(script_.substr(0, offset), '\n'));
}

void Statements::pass_over_blanks() {
  const auto to = [this](std::size_t offset) { begin_ = std::min(offset, script_.size()); };
  for (;;) {
    const std::string_view rest = script_.substr(begin_);
    if (rest.starts_with("--")) {
      to(script_.find('\n', begin_));
    } else if (rest.starts_with("/*")) {
      const auto close = script_.find("*/", begin_ + 2);
      to(close == std::string_view::npos ? close : close + 2);
    } else if (!rest.empty() && (std::isspace(static_cast<unsigned char>(rest.front())) != 0 || rest.front() == ';')) {
      to(begin_ + 1);
    } else {
      return;
    }
  }
}

}  // namespace statehouse::cli
