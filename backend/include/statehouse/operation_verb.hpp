#pragma once

#include <cstddef>

#pragma GCC visibility push(default)
namespace statehouse {

/// What an operation of a pool was called as. A closed set, so that it can be a label of metrics.
enum class operation_verb : unsigned char {
  execute,
  execute_returning,
  execute_many,
  query_all,
  query_optional,
  query_one,
  stream,
  read,
  write,
  write_without_transaction,
  acquire,
  begin,
  savepoint,
  commit,
  rollback,
  checkpoint,  ///< The pool's own, when nothing was written for a while.
  optimize     ///< The pool's own, once a day.
};

/// How many there are.
inline constexpr std::size_t operation_verbs = static_cast<std::size_t>(operation_verb::optimize) + 1;

/// As it is written in a program: "query_all".
constexpr const char* to_string(operation_verb verb) noexcept {
  switch (verb) {
    case operation_verb::execute: return "execute";
    case operation_verb::execute_returning: return "execute_returning";
    case operation_verb::execute_many: return "execute_many";
    case operation_verb::query_all: return "query_all";
    case operation_verb::query_optional: return "query_optional";
    case operation_verb::query_one: return "query_one";
    case operation_verb::stream: return "stream";
    case operation_verb::read: return "read";
    case operation_verb::write: return "write";
    case operation_verb::write_without_transaction: return "write_without_transaction";
    case operation_verb::acquire: return "acquire";
    case operation_verb::begin: return "begin";
    case operation_verb::savepoint: return "savepoint";
    case operation_verb::commit: return "commit";
    case operation_verb::rollback: return "rollback";
    case operation_verb::checkpoint: return "checkpoint";
    case operation_verb::optimize: return "optimize";
  }
  return "unknown";
}

}  // namespace statehouse
#pragma GCC visibility pop
