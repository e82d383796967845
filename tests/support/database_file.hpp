#pragma once

#include <filesystem>
#include <memory>

#include "file/file.hpp"
#include "open_session.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {

/// A database file in a directory of its own, made as a pool makes it; its fixture opens it.
struct DatabaseFile {
  testing::TempDir directory;
  Fixture fixture{.path = directory / "a.db"};

  DatabaseFile() { detail::prepare_file(fixture.path, false, *fixture.log.logger()); }
  bool exists(const char* suffix) const { return std::filesystem::exists(fixture.path.string() + suffix); }
};

/// One with a writer and a table `t(a)`.
struct WrittenFile : DatabaseFile {
  std::unique_ptr<Connection> connection = fixture.connect();

  WrittenFile() { connection->execute("CREATE TABLE t(a)"); }
  Connection& db() { return *connection; }
  detail::LocalSession& session() { return test::session(*connection); }
};

}  // namespace statehouse::test
