#include "file/file.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "child_process.hpp"
#include "error_of.hpp"
#include "files.hpp"
#include "open_session.hpp"
#include "plain_database.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/testing/log_capture.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using namespace detail;
using test::as_nobody;
using test::code_of;
using test::contains;
using test::error_of;
using test::mode_of;
using testing::TempDir;

namespace fs = std::filesystem;

namespace {

class Umask {
 public:
  explicit Umask(mode_t value) : before_(::umask(value)) {}
  ~Umask() { ::umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  const mode_t before_;
};

boost::system::error_code system_code(int error) {
  return {error, boost::system::system_category()};
}

const std::vector<mode_t> umasks{0, 022, 077, 0777};

/// What an Error says, as text, since it crosses a process boundary: its number in the system category, and its words.
template <class F>
std::string outcome(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    const bool system = error.code().category() == boost::system::system_category();
    return (system ? std::to_string(error.code().value()) : error.code().category().name()) + std::string(" ") +
           error.what();
  } catch (const std::exception& error) {
    return std::string("not an Error: ") + error.what();
  }
  return "nothing";
}

/// A directory that everybody may use, since the tests that need no rights run as nobody.
struct OpenDir {
  testing::TempDir directory;
  OpenDir() { fs::permissions(directory.path(), fs::perms::all); }
  fs::path operator/(const fs::path& name) const { return directory / name; }
};

}  // namespace

TEST_CASE("prepare_directory: creates it and what is above it with mode 0700 under any umask") {
  for (const mode_t mask : umasks) {
    testing::TempDir directory;
    Umask umask(mask);
    const fs::path made = prepare_directory(directory / "a" / "b" / "c");
    CHECK(made == fs::canonical(directory / "a/b/c"));
    for (const char* path : {"a", "a/b", "a/b/c"}) CHECK(mode_of(directory / path) == 0700);
  }
}

TEST_CASE("prepare_directory: leaves an existing one as it is, and says its real name") {
  testing::TempDir directory;
  fs::create_directory(directory / "real");
  fs::permissions(directory / "real", fs::perms(0750));
  fs::create_directory_symlink("real", directory / "link");
  for (const char* name : {"real", "real/", "link", "./link/", "link/../real", "link/."})
    CHECK(prepare_directory(directory / name) == fs::canonical(directory / "real"));
  CHECK(mode_of(directory / "real") == 0750);

  const auto before = fs::current_path();
  fs::current_path(directory.path());
  CHECK(prepare_directory("relative/data") == fs::canonical(directory.path()) / "relative/data");
  CHECK(prepare_directory("trailing/") == fs::canonical(directory.path()) / "trailing");
  CHECK(prepare_directory(".") == fs::canonical(directory.path()));
  fs::current_path(before);
}

TEST_CASE("prepare_directory: each obstacle has its own code and says what to do") {
  OpenDir directory;
  std::ofstream(directory / "file") << "x";
  fs::create_directory(directory / "closed");
  fs::permissions(directory / "closed", fs::perms(0500));
  fs::create_directory(directory / "blind");
  fs::permissions(directory / "blind", fs::perms::none);
  fs::create_symlink("circle", directory / "circle");
  fs::create_symlink("nowhere", directory / "dangling");
  const auto attempt = [&](const fs::path& path) {
    return as_nobody([&] { return outcome([&] { prepare_directory(path); }); });
  };
  const auto expect = [&](const fs::path& path, int error, std::string_view advice) {
    const std::string text = attempt(path);
    CAPTURE(text);
    CHECK(text.starts_with(std::to_string(error) + " "));
    CHECK(contains(text, advice));
    CHECK(contains(text, "data directory"));
  };
  expect(directory / "file", ENOTDIR, "a file, not a directory");
  expect(directory / "file" / "below", ENOTDIR, "a file, not a directory");
  expect(directory / "closed", EACCES, "check owner and mode");
  expect(directory / "closed" / "below", EACCES, "check owner and mode");
  expect(directory / "blind" / "below" / "it", EACCES, "check owner and mode");
  expect(directory / std::string(300, 'n'), ENAMETOOLONG, "too long");
  expect(directory / "circle", ELOOP, "symbolic links");
  CHECK_FALSE(contains(attempt(directory / "dangling"), "not an Error"));
  expect("", EINVAL, "empty");
  fs::permissions(directory / "blind", fs::perms::owner_all);
}

TEST_CASE("a read-only file system is named as such, and no attempt goes on for long") {
  testing::TempDir directory;
  const fs::path path = directory / "a.db";
  { Connection(path).execute("CREATE TABLE t(a)"); }
  const std::string text = test::in_child([&]() -> std::string {
    // A mount of its own, which ends with the child.
    const int flags = CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
    const char* const place = directory.path().c_str();
    if (::unshare(flags) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(place, place, nullptr, MS_BIND, nullptr) != 0 ||
        ::mount(nullptr, place, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0)
      return "skip";
    testing::LogCapture log;
    return outcome([&] { prepare_directory(directory / "data"); }) + "\n" +
           outcome([&] { prepare_directory(directory.path()); }) + "\n" +
           outcome([&] { prepare_file(directory / "b.db", false, *log.logger()); }) + "\n" +
           outcome([&] { Connection db(path); });
  });
  if (text == "skip") SKIP("no mount namespace here");
  CAPTURE(text);
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    CAPTURE(line);
    if (count < 3) CHECK(line.starts_with(std::to_string(EROFS) + " "));
    CHECK(contains(line, "the file system is read-only: choose another data directory"));
  }
  CHECK(count == 4);
}

TEST_CASE("prepare_file: creates the file with mode 0600 under any umask, and SQLite's own files follow") {
  for (const mode_t mask : umasks) {
    testing::TempDir directory;
    Umask umask(mask);
    const fs::path path = directory / "a.db";
    testing::LogCapture log;
    prepare_file(path, false, *log.logger());
    CHECK(mode_of(path) == 0600);
    CHECK(fs::file_size(path) == 0);
    Connection db(path);
    db.execute("CREATE TABLE t(a)");
    for (const char* suffix : {"", "-wal", "-shm"}) {
      CAPTURE(mask, suffix);
      CHECK(mode_of(path.string() + suffix) == 0600);
    }
    CHECK(log.lines().empty());
  }
}

// Whoever looks between creation and a later chmod must not be let in. So the child may not chmod: what is left when
// prepare_file fails over it is the mode at creation.
TEST_CASE("prepare_file and prepare_directory: there is no moment with a looser mode") {
  testing::TempDir directory;
  const std::string text = test::in_child([&]() -> std::string {
    ::umask(0);
    constexpr auto refuse = [](unsigned call) { return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1); };
    constexpr auto eperm = sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
#ifdef __NR_chmod
                            refuse(__NR_chmod),
                            eperm,
#endif
                            refuse(__NR_fchmod),
                            eperm,
                            refuse(__NR_fchmodat),
                            eperm,
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
      return "skip";
    testing::LogCapture log;
    return outcome([&] { prepare_file(directory / "a.db", false, *log.logger()); }) + "\n" +
           outcome([&] { prepare_directory(directory / "data"); });
  });
  if (text == "skip") SKIP("no seccomp here");
  CAPTURE(text);
  REQUIRE(std::ranges::count(text, '\n') == 1);
  REQUIRE_FALSE(contains(text, "nothing"));
  CHECK(mode_of(directory / "a.db") == 0600);
  CHECK(mode_of(directory / "data") == 0700);
}

TEST_CASE("prepare_file: an existing file with a looser mode is reported, and tightened only when asked") {
  testing::TempDir directory;
  const fs::path path = directory / "a.db";
  { Connection(path).execute("CREATE TABLE t(a)"); }
  for (const char* suffix : {"-wal", "-shm"}) std::ofstream(path.string() + suffix).close();
  for (const char* suffix : {"", "-wal", "-shm"}) fs::permissions(path.string() + suffix, fs::perms(0644));

  testing::LogCapture log;
  prepare_file(path, false, *log.logger());
  CHECK(log.count("'a.db' has mode 644", spdlog::level::warn) == 1);
  CHECK(log.count("tighten_permissions", spdlog::level::warn) >= 1);
  CHECK(log.count(directory.path().string()) == 0);  // names, not paths
  CHECK(mode_of(path) == 0644);

  prepare_file(path, true, *log.logger());
  for (const char* suffix : {"", "-wal", "-shm"}) CHECK(mode_of(path.string() + suffix) == 0600);
  CHECK(log.count("now 0600", spdlog::level::info) >= 1);

  const auto lines = log.lines().size();
  prepare_file(path, false, *log.logger());
  prepare_file(path, true, *log.logger());
  CHECK(log.lines().size() == lines);
}

TEST_CASE("prepare_file: looser modes of -wal and -shm alone are seen too") {
  testing::TempDir directory;
  const fs::path path = directory / "a.db";
  testing::LogCapture log;
  prepare_file(path, false, *log.logger());
  std::ofstream(path.string() + "-wal").close();
  fs::permissions(path.string() + "-wal", fs::perms(0664));
  prepare_file(path, false, *log.logger());
  CHECK(log.count("'a.db-wal' has mode 664", spdlog::level::warn) == 1);
  prepare_file(path, true, *log.logger());
  CHECK(mode_of(path.string() + "-wal") == 0600);
}

TEST_CASE("prepare_file: says which file it is, and whether there is a log with content") {
  testing::TempDir directory;
  testing::LogCapture log;
  const fs::path path = directory / "a.db";
  const auto made = prepare_file(path, false, *log.logger());
  CHECK(made.identity == identify(path));
  CHECK_FALSE(made.has_log);
  test::write_file(path.string() + "-shm", "content");
  test::write_file(path.string() + "-wal", "");
  CHECK_FALSE(prepare_file(path, false, *log.logger()).has_log);
  test::write_file(path.string() + "-wal", "content");
  CHECK(prepare_file(path, false, *log.logger()).has_log);
}

TEST_CASE("prepare_file: modes are told, whatever bits are set, and stricter ones left alone") {
  testing::TempDir directory;
  const fs::path path = directory / "a.db";
  for (const mode_t mode : {0640u, 0604u, 0610u, 0601u, 0622u}) {
    testing::LogCapture log;
    prepare_file(path, false, *log.logger());
    ::chmod(path.c_str(), mode);
    prepare_file(path, false, *log.logger());
    CHECK(log.count("mode", spdlog::level::warn) == 1);
    fs::remove(path);
  }
  for (const mode_t mode : {0600u, 0700u, 0400u}) {
    testing::LogCapture log;
    prepare_file(path, true, *log.logger());
    ::chmod(path.c_str(), mode);
    prepare_file(path, true, *log.logger());
    CHECK(mode_of(path) == mode);
    CHECK(log.lines().empty());
    fs::remove(path);
  }
}

TEST_CASE("prepare_file: what is no regular file of one name is refused and left as it is") {
  testing::TempDir directory;
  testing::LogCapture log;
  const fs::path target = directory / "target.db";
  prepare_file(target, false, *log.logger());
  const auto refused = [&](const fs::path& path) { return error_of([&] { prepare_file(path, true, *log.logger()); }); };

  fs::create_symlink(target, directory / "link.db");
  CHECK(refused(directory / "link.db").code() == errc::not_a_regular_file);
  CHECK(contains(refused(directory / "link.db").what(), "symbolic link"));

  fs::create_symlink(directory / "not there", directory / "dangling.db");
  CHECK(refused(directory / "dangling.db").code() == errc::not_a_regular_file);
  CHECK_FALSE(fs::exists(directory / "not there"));

  fs::create_directory(directory / "directory.db");
  CHECK(refused(directory / "directory.db").code() == errc::not_a_regular_file);
  CHECK(contains(refused(directory / "directory.db").what(), "is a directory"));

  REQUIRE(::mkfifo((directory / "fifo.db").c_str(), 0600) == 0);
  CHECK(refused(directory / "fifo.db").code() == errc::not_a_regular_file);  // and does not hang

  CHECK(refused("/dev/null").code() == errc::not_a_regular_file);
  CHECK(refused("/dev/zero").code() == errc::not_a_regular_file);

  fs::create_hard_link(target, directory / "second.db");
  for (const char* name : {"target.db", "second.db"}) {
    CHECK(refused(directory / name).code() == errc::hard_linked);
    CHECK(contains(refused(directory / name).what(), "2 hard links"));
  }
  fs::remove(directory / "second.db");
  CHECK_NOTHROW(prepare_file(target, false, *log.logger()));
}

TEST_CASE("prepare_file: each obstacle has its own code and says what to do") {
  OpenDir directory;
  std::ofstream(directory / "file") << "x";
  fs::create_directory(directory / "closed");
  fs::permissions(directory / "closed", fs::perms(0555));
  fs::create_directory(directory / "blind");
  fs::permissions(directory / "blind", fs::perms(0));
  const auto expect = [&](const fs::path& path, int error, std::string_view advice) {
    const std::string text = as_nobody([&] {
      return outcome([&] {
        testing::LogCapture log;
        prepare_file(path, false, *log.logger());
      });
    });
    CAPTURE(text);
    CHECK(text.starts_with(std::to_string(error) + " "));
    CHECK(contains(text, advice));
    CHECK(contains(text, "database file"));
  };
  expect(directory / "missing" / "a.db", ENOENT, "does not exist");
  expect(directory / "file" / "a.db", ENOTDIR, "a file, not a directory");
  expect(directory / "closed" / "a.db", EACCES, "check owner and mode");
  expect(directory / "blind" / "a.db", EACCES, "check owner and mode");
  expect(directory / (std::string(300, 'n') + ".db"), ENAMETOOLONG, "too long");
  fs::permissions(directory / "blind", fs::perms::owner_all);
}

TEST_CASE("opening: an obstacle is an Error that names the file in the way") {
  OpenDir directory;
  const fs::path path = directory / "a.db";
  as_nobody([&] {
    Connection db(path);
    db.execute("CREATE TABLE t(a)");
    ::_exit(0);  // a crash: -wal and -shm stay
    return "";
  });
  REQUIRE(fs::exists(path.string() + "-wal"));
  const auto attempt = [&] {
    return as_nobody([&] { return outcome([&] { Connection(path).execute("INSERT INTO t VALUES (1)"); }); });
  };
  const auto expect = [&](const fs::path& blocked, fs::perms mode, std::string_view name) {
    const auto before = fs::status(blocked).permissions();
    fs::permissions(blocked, mode);
    const std::string text = attempt();
    fs::permissions(blocked, before);
    CAPTURE(text);
    CHECK(text.starts_with("sqlite "));
    CHECK(contains(text, name));
    CHECK(contains(text, "check owner and mode"));
  };
  for (const char* suffix : {"", "-wal", "-shm"}) {
    for (const auto mode : {fs::perms(0), fs::perms(0400)}) {
      CAPTURE(suffix);
      expect(path.string() + suffix, mode, "'a.db" + std::string(suffix) + "'");
    }
  }
  CHECK(attempt() == "nothing");
  expect(directory.directory.path(), fs::perms(0555), "the directory '" + directory.directory.path().string() + "'");
}

TEST_CASE("opening: a file that may only be read is refused at once, not at the first write") {
  OpenDir directory;
  const fs::path path = directory / "a.db";
  as_nobody([&] {
    Connection(path).execute("CREATE TABLE t(a)");
    return "";
  });
  fs::permissions(path, fs::perms(0444));
  const std::string text = as_nobody([&] { return outcome([&] { Connection db(path); }); });
  CAPTURE(text);
  CHECK(contains(text, "can be read, but not written; 'a.db': the process may not write there"));
}

TEST_CASE("for_reading: a file that may only be read is read, where that leaves nothing behind, in any directory") {
  const OpenDir directory;
  const fs::path path = directory / "a.db";
  const auto lock_up = [&](fs::perms file, fs::perms folder) {
    for (const char* suffix : {"", "-wal", "-shm"})
      if (fs::exists(path.string() + suffix)) fs::permissions(path.string() + suffix, file);
    fs::permissions(directory.directory.path(), folder);
  };
  const auto folder = GENERATE(fs::perms(0555), fs::perms(0777));
  const auto read = [&] {
    return as_nobody([&] {
      return outcome([&] {
        auto db = Connection::for_reading(path);
        if (db.query_one<int>("SELECT a FROM t") != 7) throw std::runtime_error("another value");
      });
    });
  };
  // In a process of its own, since SQLite shares what it knows of a file within one.
  const auto make = [&](const char* mode, bool crash) {
    test::in_child([&] {
      test::PlainDatabase owner(path);
      owner.execute(std::string("PRAGMA journal_mode = ") + mode + "; CREATE TABLE t(a); INSERT INTO t VALUES (7)");
      if (crash) ::_exit(0);
      return "";
    });
  };
  SECTION("rollback journal") {
    make("DELETE", false);
    lock_up(fs::perms(0444), folder);
    CHECK(read() == "nothing");
  }
  SECTION("WAL mode, with its log") {
    const bool still_open = GENERATE(false, true);
    make("WAL", true);
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t server = still_open ? ::fork() : -1;
    if (server == 0) {
      const test::PlainDatabase owner(path);
      sqlite3_exec(owner.handle(), "SELECT * FROM t", nullptr, nullptr, nullptr);
      static_cast<void>(!::write(ready[1], "x", 1));
      ::pause();
      ::_exit(0);
    }
    char byte = 0;
    if (still_open) REQUIRE(::read(ready[0], &byte, 1) == 1);
    lock_up(fs::perms(0444), folder);
    CHECK(read() == "nothing");
    if (still_open) {
      ::kill(server, SIGKILL);
      ::waitpid(server, nullptr, 0);
    }
    ::close(ready[0]);
    ::close(ready[1]);
  }
  SECTION("WAL mode, closed: refused, and nothing is made beside it") {
    make("WAL", false);
    lock_up(fs::perms(0444), folder);
    const std::string text = read();
    CAPTURE(text);
    CHECK(contains(text, "may only be read, which in WAL mode needs its -wal and -shm"));
    CHECK_FALSE(fs::exists(path.string() + "-wal"));
    CHECK_FALSE(fs::exists(path.string() + "-shm"));
  }
  fs::permissions(directory.directory.path(), fs::perms(0777));
}

TEST_CASE("opening: what is no database is an Error, and the file is left as it is") {
  testing::TempDir directory;
  const fs::path path = directory / "a.db";
  const std::string content = "This is a letter, not a database. " + std::string(2000, '.');
  std::ofstream(path) << content;
  fs::permissions(path, fs::perms(0600));
  CHECK(code_of([&] { Connection db(path); }) == make_sqlite_error(SQLITE_NOTADB));
  CHECK(fs::file_size(path) == content.size());
}

TEST_CASE("opening: a path that SQLite finds too long is named as such") {
  testing::TempDir directory;
  fs::path deep = directory.path();
  while (deep.string().size() < 600) deep /= std::string(100, 'd');
  fs::create_directories(deep);
  const std::string text = outcome([&] { Connection db(deep / "a.db"); });
  CAPTURE(text);
  CHECK(contains(text, "too long"));
}

TEST_CASE("opening: every path gives a connection or an Error, never another exception") {
  OpenDir directory;
  std::ofstream(directory / "file") << "x";
  fs::create_directory(directory / "blind");
  fs::permissions(directory / "blind", fs::perms(0));
  fs::create_symlink("circle", directory / "circle");
  for (const fs::path& path :
       {fs::path(""), fs::path("/"), fs::path("."), fs::path(".."), directory / "", directory / "file" / "a.db",
        directory / "file" / "b" / "a.db", directory / "blind" / "a.db", directory / "blind" / "b" / "a.db",
        directory / "circle" / "a.db", directory / "missing" / "a.db", directory / std::string(300, 'n'),
        directory / std::string(300, 'n') / "a.db", fs::path(std::string("a\0b", 3)), fs::path("/dev/null"),
        fs::path("/proc/self/mem")}) {
    const std::string text = as_nobody([&] {
      fs::current_path("/");
      return outcome([&] { Connection db(path); });
    });
    CAPTURE(path, text);
    CHECK(text != "nothing");
    CHECK_FALSE(contains(text, "not an Error"));
  }
  CHECK(code_of([] { Connection db(""); }) == system_code(EINVAL));
  fs::permissions(directory / "blind", fs::perms::owner_all);
}

TEST_CASE("FileClaim: one claim per file and process, by whatever name") {
  testing::TempDir directory;
  testing::LogCapture log;
  fs::create_directory(directory / "real");
  fs::create_directory_symlink("real", directory / "link");
  const fs::path path = directory / "real" / "a.db";
  prepare_file(path, false, *log.logger());
  prepare_file(directory / "real" / "b.db", false, *log.logger());
  {
    const FileClaim claim(path);
    const FileClaim other(directory / "real" / "b.db");
    for (const fs::path& name : {path, directory / "link" / "a.db", directory / "real" / "." / ".." / "real" / "a.db"})
      CHECK(code_of([&] { FileClaim second(name); }) == errc::file_in_use);
    CHECK(claim.still_there());
  }
  CHECK_NOTHROW(FileClaim(path));
  CHECK_NOTHROW(FileClaim(path));
  CHECK(code_of([&] { FileClaim claim(directory / "missing.db"); }) == system_code(ENOENT));
}

TEST_CASE("FileClaim: notices that the file is gone, moved or another one") {
  testing::TempDir directory;
  testing::LogCapture log;
  const fs::path path = directory / "a.db";
  prepare_file(path, false, *log.logger());
  const FileClaim claim(path);
  CHECK(claim.still_there());
  fs::rename(path, directory / "moved.db");
  CHECK_FALSE(claim.still_there());
  prepare_file(path, false, *log.logger());
  CHECK_FALSE(claim.still_there());
  fs::rename(directory / "moved.db", path);
  CHECK(claim.still_there());
  fs::rename(path, directory / "moved.db");
  fs::create_symlink("moved.db", path);
  CHECK_FALSE(claim.still_there());
  fs::remove(path);
  CHECK_FALSE(claim.still_there());
}

TEST_CASE("file_size_or_zero: of a file, and of none") {
  testing::TempDir directory;
  std::ofstream(directory / "file") << "12345";
  CHECK(file_size_or_zero(directory / "file") == 5);
  CHECK(file_size_or_zero(directory / "missing") == 0);
  CHECK(file_size_or_zero(directory.path()) == 0);
}
