#pragma once

#include <utility>

#include "engine/session.hpp"

namespace statehouse::detail {

/// BEGIN; rolled back on the way out unless there was a commit, also when an exception takes that way: it stays the
/// first and only one.
class TransactionScope {
 public:
  TransactionScope(Session& session, transaction_kind kind) : session_(session) { session_.begin(kind); }
  ~TransactionScope() { session_.rollback(); }
  TransactionScope(const TransactionScope&) = delete;
  TransactionScope& operator=(const TransactionScope&) = delete;

  void commit() { session_.commit(); }

 private:
  Session& session_;
};

/// What statements may do, until the end of the scope.
class PermissionScope {
 public:
  PermissionScope(Session& session, permission value) noexcept
      : session_(session), outer_(std::exchange(session.rules().granted, value)) {}
  ~PermissionScope() { session_.rules().granted = outer_; }
  PermissionScope(const PermissionScope&) = delete;
  PermissionScope& operator=(const PermissionScope&) = delete;

 private:
  Session& session_;
  const permission outer_;
};

/// The most bytes of a value or row, until the end of the scope.
class LengthScope {
 public:
  LengthScope(Session& session, int bytes) noexcept : session_(session), outer_(session.limit_length(bytes)) {}
  ~LengthScope() { session_.limit_length(outer_); }
  LengthScope(const LengthScope&) = delete;
  LengthScope& operator=(const LengthScope&) = delete;

 private:
  Session& session_;
  const int outer_;
};

/// `permission::maintenance`, and what that may have changed is put back, also after an exception.
class MaintenanceScope {
 public:
  explicit MaintenanceScope(Session& session) noexcept : session_(session), scope_(session, permission::maintenance) {}
  ~MaintenanceScope() {
    session_.clean();
    session_.restore_settings();
  }
  MaintenanceScope(const MaintenanceScope&) = delete;
  MaintenanceScope& operator=(const MaintenanceScope&) = delete;

 private:
  Session& session_;
  const PermissionScope scope_;
};

}  // namespace statehouse::detail
