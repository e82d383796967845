#pragma once

namespace statehouse::detail {

class Session;
#pragma GCC visibility push(default)

/// A savepoint that is rolled back unless released.
class SavepointScope {
 public:
  explicit SavepointScope(Session& session);
  ~SavepointScope();
  SavepointScope(const SavepointScope&) = delete;
  SavepointScope& operator=(const SavepointScope&) = delete;
  void release();

 private:
  Session& session_;
  bool outer_;  // whether a transaction was expected before
  bool released_ = false;
};

}  // namespace statehouse::detail
#pragma GCC visibility pop
