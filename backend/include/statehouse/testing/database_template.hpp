#pragma once

#include <fcntl.h>
#include <sqlite3.h>
#include <SQLiteCpp/Database.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "statehouse/connection.hpp"
#include "statehouse/migrator.hpp"

namespace statehouse::testing {

/// A database as migrations leave it, made once and copied for each test, which takes less than a millisecond however
/// many migrations there are.
///
/// Thread-safety: copies may be made by several threads at once. Lifetime: copies do not refer to it.
class DatabaseTemplate {
 public:
  /// Applies `migrations` to a database in memory, then calls `fill` for rows that all tests are to find. `options` are
  /// of this connection and of those of `in_memory`: `on_connect` for functions of your own. Throws what the migrations
  /// and `fill` do.
  explicit DatabaseTemplate(Migrator migrations, const std::function<void(Connection&)>& fill = {},
                            ConnectionOptions options = {})
      : migrator_(std::move(migrations)), options_(std::move(options)) {
    Connection connection = Connection::in_memory("template", options_);
    migrator_.run(connection);
    if (fill) fill(connection);
    sqlite3_int64 size = 0;
    unsigned char* const bytes = sqlite3_serialize(connection.native().getHandle(), "main", &size, 0);
    if (bytes == nullptr && size > 0) throw std::bad_alloc();
    bytes_ = std::make_shared<const std::string>(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    sqlite3_free(bytes);
  }

  /// What it was made by, for `DbInstances::add_migrator`: a copy has nothing pending.
  const Migrator& migrator() const noexcept { return migrator_; }

  /// A copy in memory, for code that takes a `Connection` or a `Reader`. Errors call it `name`. Throws Error.
  Connection in_memory(std::string name = "test") const {
    return Connection::in_memory(std::move(name), filling(options_));
  }

  /// For a database in memory, also that of a pool: `options` whose `on_connect` makes it a copy before anything else.
  ConnectionOptions filling(ConnectionOptions options) const {
    options.on_connect = [bytes = bytes_, then = options.on_connect](Connection& connection, connection_role role) {
      if (!bytes->empty()) fill(connection, *bytes);
      if (then) then(connection, role);
    };
    return options;
  }

  /// A copy as a new file, mode 0600, before anybody opens it; makes the directories that are missing. Throws
  /// std::system_error: EEXIST where there is one.
  void copy_to(const std::filesystem::path& file) const {
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) fail(file);
    std::string_view rest(*bytes_);
    while (!rest.empty()) {
      const ssize_t written = ::write(descriptor, rest.data(), rest.size());
      if (written < 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    const int error = errno;
    ::close(descriptor);
    errno = error;
    if (!rest.empty()) fail(file);
  }

 private:
  static void fill(Connection& connection, const std::string& bytes) {
    auto* const copy = static_cast<unsigned char*>(sqlite3_malloc64(bytes.size()));
    if (copy == nullptr) throw std::bad_alloc();
    bytes.copy(reinterpret_cast<char*>(copy), bytes.size());
    const auto size = static_cast<sqlite3_int64>(bytes.size());
    // SQLite frees the copy, also where this fails.
    const int code = sqlite3_deserialize(connection.native().getHandle(), "main", copy, size, size,
                                         SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
    if (code != SQLITE_OK) throw std::runtime_error(std::string("sqlite3_deserialize: ") + sqlite3_errstr(code));
  }
  [[noreturn]] static void fail(const std::filesystem::path& file) {
    throw std::system_error(errno, std::generic_category(), "cannot write '" + file.string() + "'");
  }

  const Migrator migrator_;
  const ConnectionOptions options_;
  std::shared_ptr<const std::string> bytes_;  // of a file
};

}  // namespace statehouse::testing
