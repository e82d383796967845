#include "file/backup_series.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>

#include "error_of.hpp"
#include "file/partial_file.hpp"
#include "files.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/temp_dir.hpp"

// The names of a series of backups, and what of it is removed.

using namespace statehouse;
using namespace statehouse::test;
using statehouse::testing::TempDir;
namespace fs = std::filesystem;
namespace chrono = std::chrono;

namespace {

using Names = std::vector<std::string>;

std::string name_in(const fs::path& database, const std::string& stamp) {
  const std::string some = detail::BackupSeries(database, "d").next().filename().string();
  return database.filename().string() + '.' + stamp + some.substr(some.size() - std::string(".5f0c3a97.backup").size());
}

Names names_of(const std::vector<fs::path>& files) {
  Names names;
  for (const fs::path& file : files) names.push_back(file.filename().string());
  return names;
}

}  // namespace

TEST_CASE("utc stamp: every time of four-digit years is read as it was written, and nothing else is") {
  using detail::parse_utc_stamp;
  for (const auto* const text : {"00000101T000000.000Z", "19691231T235959.999Z", "20240229T123000.250Z",
                                 "20261126T231000.007Z", "99991231T235959.999Z"}) {
    CAPTURE(text);
    const auto time = parse_utc_stamp(text);
    REQUIRE(time);
    CHECK(detail::utc_stamp(*time) == text);
  }
  for (const auto* const text :
       {"", "20230229T123000.250Z", "20261126T240000.007Z", "20261126T236000.007Z", "20261126T235960.007Z",
        "20261126 231000.007Z", "20261126T231000,007Z", "20261126T231000.0070", "-0261126T231000.007Z",
        "2026+126T231000.007Z", "20261126T231000.007Zx", "20261126T2310 0.007Z", "20261301T231000.007Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_utc_stamp(text));
  }
}

TEST_CASE("backup series: a new name sorts behind all others, also when the system's time was set back") {
  const TempDir dir;
  const fs::path database = "/data/x.db";
  const detail::BackupSeries series(database, dir.path());
  CHECK(series.list().empty());
  const auto before = chrono::floor<chrono::milliseconds>(chrono::system_clock::now());
  const fs::path first = series.next();
  write_file(first, "");
  CHECK(series.made_at(first) >= before - chrono::seconds(1));  // files have the time of the last tick
  CHECK(series.made_at(first) <= chrono::system_clock::now());
  write_file(dir / name_in(database, "29991231T235959.999Z"), "");
  CHECK(series.next().filename() == name_in(database, "30000101T000000.000Z"));
  CHECK(series.made_at(series.list().back()) <= chrono::system_clock::now());
  for (int i = 0; i < 20; ++i) write_file(series.next(), "");
  CHECK(series.list().size() == 22);
}

TEST_CASE("backup series: what is not a regular file with a name of this database and place is not of it") {
  const TempDir dir;
  const fs::path database = "/data/x.db";
  const detail::BackupSeries series(database, dir.path());
  const std::string own = name_in(database, "20250101T000000.000Z");
  const Names others{"x.db",
                     "x.db.backup",
                     own + "x",
                     "a" + own,
                     own.substr(0, own.size() - 1),
                     "x.db.20250101T000000.000Z.00000000.backup",         // of another place
                     name_in("/staging/x.db", "20250101T000000.000Z"),    // as well
                     name_in("/data/x", "20250101T000000.000Z"),          // another database
                     name_in("/data/x.db.y.db", "20250101T000000.000Z"),  // as well
                     name_in("/data/xx.db", "20250101T000000.000Z"),      // as well
                     name_in(database, "20251301T000000.000Z"),           // no month
                     "x.db.20250101T000000.000Z.replaced"};               // of a restore
  for (const std::string& name : others) write_file(dir / name, "other");
  fs::create_directory(dir / name_in(database, "20240101T000000.000Z"));
  fs::create_symlink(dir / "x.db", dir / name_in(database, "20240102T000000.000Z"));
  write_file(dir / own, "");
  CHECK(names_of(series.list()) == Names{own});
  write_file(series.next(), "");
  CHECK(names_of(series.trim(1)) == Names{own});
  CHECK(series.list().size() == 1);
  for (const std::string& name : others) CHECK(read_file(dir / name) == "other");
  CHECK(names_in(dir.path()).size() == others.size() + 3);
}

TEST_CASE("backup series: the latest stay, one that is in use stays, and zero keeps all") {
  const TempDir dir;
  const fs::path database = "/data/x.db";
  const detail::BackupSeries series(database, dir.path());
  Names names;
  for (const auto* const day : {"01", "02", "03", "04", "05"})
    names.push_back(name_in(database, "202501" + std::string(day) + "T000000.000Z"));
  for (const std::string& name : names) write_file(dir / name, "");
  CHECK(series.trim(0).empty());
  CHECK(series.trim(5).empty());
  write_file(dir / (names[0] + "-wal"), "of somebody");
  CHECK(names_of(series.trim(2)) == Names{names[1], names[2]});
  CHECK(names_of(series.list()) == Names{names[0], names[3], names[4]});
  CHECK(series.trim(100).empty());
}

TEST_CASE("backup series: what a killed process has left half made is removed, what is being made is not") {
  const TempDir dir;
  const fs::path database = "/data/x.db";
  const detail::BackupSeries series(database, dir.path());
  const std::string left = name_in(database, "20250101T000000.000Z") + ".aB3xYz.partial";
  const std::string of_others = name_in("/staging/x.db", "20250101T000000.000Z") + ".aB3xYz.partial";
  for (const std::string& name : {left, left + "-wal", left + "-shm", of_others, std::string("x.db.aB3xYz.partial")})
    write_file(dir / name, "");
  const detail::PartialFile at_work(series.next(), "backup");
  series.remove_half_made();
  CHECK(names_in(dir.path()) == Names{of_others, at_work.path().filename().string(), "x.db.aB3xYz.partial"});
}

TEST_CASE(
    "backup: the lock of one that is being made meets none of SQLite's, not even where flock is of the whole file") {
  const TempDir dir;
  const detail::PartialFile at_work(dir / "copy.db", "backup");
  const int other = ::open(at_work.path().c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(other >= 0);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = off_t{1} << 48;  // more than the largest database
  REQUIRE(::fcntl(other, F_OFD_GETLK, &lock) == 0);
  CHECK(lock.l_type == F_UNLCK);
  lock.l_len = 0;  // all there is
  lock.l_type = F_WRLCK;
  REQUIRE(::fcntl(other, F_OFD_GETLK, &lock) == 0);
  CHECK(lock.l_type == F_WRLCK);
  CHECK(::flock(other, LOCK_EX | LOCK_NB) == 0);
  ::close(other);
}

TEST_CASE("backup_into: a checked copy under a name of its own, and so many of them; the first makes the directory") {
  const TempDir dir;
  Connection source(dir / "x.db");
  source.execute("CREATE TABLE t(x)");
  const fs::path directory = dir / "deep" / "backups";
  std::vector<fs::path> made;
  for (std::size_t i = 0; i < 4; ++i) {
    source.execute("INSERT INTO t VALUES (?)", static_cast<int>(i));
    const KeptBackup kept = backup_into(source, directory, 2);
    CHECK(kept.report.bytes == static_cast<std::int64_t>(fs::file_size(kept.file)));
    CHECK(mode_of(kept.file) == 0600);
    CHECK(kept.removed == (i < 2 ? std::vector<fs::path>() : std::vector<fs::path>{made[i - 2]}));
    made.push_back(kept.file);
  }
  CHECK(mode_of(directory) == 0700);
  CHECK(backups_of(dir / "x.db", directory) == std::vector<fs::path>{made[2], made[3]});
  CHECK(Connection::for_reading(made[3]).query_one<int>("SELECT count(*) FROM t") == 4);
  CHECK(names_in(directory).size() == 2);
  CHECK(backups_of(dir / "x.db", dir / "nowhere").empty());
}

TEST_CASE("backup_into: a backup that fails removes none of the older ones") {
  const TempDir dir;
  Connection source(dir / "x.db");
  source.execute("CREATE TABLE t(x)");
  const auto first = backup_into(source, dir / "backups", 1);
  const auto stop = [](std::int64_t, std::int64_t) { throw std::runtime_error("enough"); };
  const std::string left = first.file.string() + ".aB3xYz.partial";
  write_file(left, "of a process that was killed");
  CHECK_THROWS_AS(backup_into(source, dir / "backups", 1, {.on_progress = stop}), std::runtime_error);
  CHECK_FALSE(fs::exists(left));  // it might be its room that is missing
  CHECK(backups_of(dir / "x.db", dir / "backups") == std::vector<fs::path>{first.file});
  CHECK(names_in(dir / "backups").size() == 1);
  CHECK(code_of([&] { backup_into(source, dir / "x.db", 1); }) == boost::system::errc::not_a_directory);
}
