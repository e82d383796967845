#pragma once

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "files.hpp"
#include "statehouse/testing/temp_dir.hpp"

/// The real program `statehouse`, each run a process of its own.
namespace statehouse::test {

namespace json = boost::json;

inline std::string text_of(const json::value& value) {
  return std::string(value.as_string());
}

/// A run in progress; killed with this object if it has not ended.
class ToolProcess {
 public:
  using Words = std::vector<std::string>;

  /// Output goes to the files `out` and `err` in `directory`, which is the working directory, too. `environment` has
  /// NAME=value; what else the tool looks for there is not set.
  ToolProcess(const std::filesystem::path& directory, Words words, Words environment = {}) : directory_(directory) {
    words.insert(words.begin(), STATEHOUSE_TOOL_PROGRAM);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    forget_settings();
    for (auto& variable : environment) ::putenv(variable.data());
    const bool ready = ::chdir(directory_.c_str()) == 0 && redirect("/dev/null", O_RDONLY, STDIN_FILENO) &&
                       redirect("out", O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO) &&
                       redirect("err", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
    if (ready) ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ~ToolProcess() {
    if (pid_ > 0) kill();
  }
  ToolProcess(const ToolProcess&) = delete;
  ToolProcess& operator=(const ToolProcess&) = delete;

  /// The exit code, or 128 plus the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void signal(int number) const { ::kill(pid_, number); }
  int kill() {
    signal(SIGKILL);
    return wait();
  }

 private:
  /// Those of the one who runs the tests.
  static void forget_settings() {
    std::vector<std::string> names;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view variable(*entry);
      const std::string_view name = variable.substr(0, variable.find('='));
      const bool ours = name.starts_with("STATEHOUSE_") && !name.starts_with("STATEHOUSE_TEST_");
      if (ours || name == "DATABASE_URL") names.emplace_back(name);
    }
    for (const auto& name : names) ::unsetenv(name.c_str());
  }
  static bool redirect(const char* file, int flags, int descriptor) {
    const int opened = ::open(file, flags | O_CLOEXEC, 0600);
    return opened >= 0 && ::dup2(opened, descriptor) == descriptor;
  }

  const std::filesystem::path directory_;
  pid_t pid_ = -1;
};

struct ToolRun {
  int exit_code;
  std::string out;
  std::string err;

  /// The one document of --format json.
  json::object document() const {
    if (out.empty() || out.find('\n') != out.size() - 1) throw std::runtime_error("not one line: " + out + err);
    return json::parse(out).as_object();
  }
  std::string kind() const { return text_of(document().at("error").at("kind")); }
};

/// A directory to work in, and the tool to run there.
class Workshop {
 public:
  const std::filesystem::path& path() const { return directory_.path(); }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return directory_ / name; }

  ToolRun run(const ToolProcess::Words& words, const ToolProcess::Words& environment = {}) const {
    ToolProcess process(directory_.path(), words, environment);
    const int exit_code = process.wait();
    ToolRun run{exit_code, read_file(directory_ / "out"), read_file(directory_ / "err")};
    std::filesystem::remove(directory_ / "out");
    std::filesystem::remove(directory_ / "err");
    return run;
  }
  ToolRun json(ToolProcess::Words words, const ToolProcess::Words& environment = {}) const {
    words.insert(words.end(), {"--format", "json"});
    return run(words, environment);
  }
  /// With migrations/ and x.db.
  ToolRun migrate(const std::string& command, ToolProcess::Words more = {}) const {
    more.insert(more.begin(), {"migrate", command, "--database", "x.db"});
    return json(more);
  }
  ToolRun db(const std::string& command, ToolProcess::Words more = {}) const {
    more.insert(more.begin(), {"db", command, "--database", "x.db"});
    return json(more);
  }
  void migration(const std::string& name, std::string_view sql) const {
    write_file(directory_ / "migrations" / name, sql);
  }
  std::vector<std::string> files(const std::filesystem::path& in = ".") const { return names_in(directory_ / in); }

 private:
  const testing::TempDir directory_;
};

/// A run on a terminal of its own; killed with this object if it has not ended.
class TerminalRun {
 public:
  /// The terminal has that many columns; with 0 it does not know.
  TerminalRun(const std::filesystem::path& directory, ToolProcess::Words words, bool no_color = false,
              unsigned short columns = 0) {
    words.insert(words.begin(), STATEHOUSE_TOOL_PROGRAM);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    pid_ = ::forkpty(&terminal_, nullptr, nullptr, columns == 0 ? nullptr : &size);
    if (pid_ < 0) throw std::runtime_error("forkpty failed");
    if (pid_ > 0) return;
    ::setenv("TERM", "xterm", 1);
    no_color ? ::setenv("NO_COLOR", "1", 1) : ::unsetenv("NO_COLOR");
    if (::chdir(directory.c_str()) == 0) ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ~TerminalRun() {
    ::close(terminal_);
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  TerminalRun(const TerminalRun&) = delete;
  TerminalRun& operator=(const TerminalRun&) = delete;

  void type(std::string_view input) const {
    if (::write(terminal_, input.data(), input.size()) != static_cast<ssize_t>(input.size()))
      throw std::runtime_error("cannot type");
  }
  /// Waits until the terminal shows `text`; false when the run ends before.
  bool shows(std::string_view text) {
    while (shown_.find(text) == std::string::npos)
      if (!read_more()) return false;
    return true;
  }
  /// Waits for the end; `out` is all that the terminal has shown.
  ToolRun finish() {
    while (read_more()) {
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), shown_, {}};
  }

 private:
  /// Reading fails when the program has closed its end.
  bool read_more() {
    char buffer[4096];
    const ssize_t got = ::read(terminal_, buffer, sizeof buffer);
    if (got > 0) shown_.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }

  int terminal_ = -1;
  pid_t pid_ = -1;
  std::string shown_;
};

}  // namespace statehouse::test
