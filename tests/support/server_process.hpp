#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "eventually.hpp"
#include "files.hpp"
#include "statehouse/testing/temp_dir.hpp"

namespace statehouse::test {

/// The real program statehouse-server in a process of its own. It dies with this object, and with the test.
///
/// Used by the thread that made it.
class ServerProcess {
 public:
  enum class until { it_listens, it_is_ready };

  /// Starts it on a free port and waits for that. `environment` adds to this process's, without what is named
  /// STATEHOUSE_*. Throws std::runtime_error with the log when it ends instead.
  explicit ServerProcess(std::vector<std::string> arguments, std::vector<std::string> environment = {},
                         until awaited = until::it_is_ready)
      : ServerProcess(not_ready{}, with_free_port(std::move(arguments)), std::move(environment)) {
    awaited == until::it_listens ? wait_until_listening() : wait_until_ready();
  }

  struct Run {
    std::optional<int> exit_code;
    std::string output;  ///< Standard output, then what was logged or complained about.
  };
  /// Runs it to its end, for as long as a test has patience.
  static Run run(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    ServerProcess process(not_ready{}, std::move(arguments), std::move(environment));
    const auto exit_code = process.wait(patience);
    std::string output;
    if (exit_code)
      while (process.read_output(output)) {
      }
    return {exit_code, output + process.log()};
  }

  ~ServerProcess() {
    if (!exit_code_) {
      kill(SIGKILL);
      wait(patience);
    }
    ::close(output_);
    ::close(pidfd_);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  unsigned short port() const noexcept { return port_; }
  pid_t pid() const noexcept { return pid_; }

  void kill(int signal) {
    if (!exit_code_) ::kill(pid_, signal);
  }

  /// The exit code, 128 plus the signal that ended it, or nothing when it still runs after `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit) {
    pollfd ended{pidfd_, POLLIN, 0};
    if (!exit_code_ && ::poll(&ended, 1, static_cast<int>(limit.count())) == 1) {
      int status = 0;
      ::waitpid(pid_, &status, 0);
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return exit_code_;
  }

  /// What it has written to standard error so far.
  std::string log() const { return read_file(directory_ / "log"); }

 private:
  struct not_ready {};

  ServerProcess(not_ready, std::vector<std::string> arguments, std::vector<std::string> environment) {
    arguments.insert(arguments.begin(), STATEHOUSE_SERVER_PROGRAM);
    for (char** entry = environ; *entry != nullptr; ++entry)
      if (!std::string_view(*entry).starts_with("STATEHOUSE_")) environment.emplace_back(*entry);
    const std::string log = (directory_ / "log").string();
    const auto argv = pointers(arguments);
    const auto envp = pointers(environment);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    output_ = ends[0];
    pid_ = ::fork();
    if (pid_ == 0) {  // from here to execve only what is allowed after fork in a process with threads
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDERR_FILENO);
      ::execve(argv[0], argv.data(), envp.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    if (pid_ < 0) throw std::runtime_error("fork failed");
    pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    if (pidfd_ < 0) throw std::runtime_error("pidfd_open failed");
  }

  static std::vector<std::string> with_free_port(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--port", "0"});
    return arguments;
  }

  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
  }

  /// False at the end of the output, and when there is none for that long.
  bool read_output(std::string& output) const {
    pollfd readable{output_, POLLIN, 0};
    char buffer[256];
    if (::poll(&readable, 1, static_cast<int>(std::chrono::milliseconds(patience).count())) != 1) return false;
    const ssize_t count = ::read(output_, buffer, sizeof buffer);
    if (count <= 0) return false;
    output.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  /// Until then the log alone has the port.
  void wait_until_listening() {
    constexpr std::string_view before = " port=";
    std::string said;
    const bool listens = eventually([&] {
      said = log();
      const std::size_t at = said.find(before);
      return wait(std::chrono::milliseconds(0)) ||
             (at != std::string::npos && said.find('\n', at) != std::string::npos);
    });
    const std::size_t at = said.find(before);
    if (!listens || at == std::string::npos) throw std::runtime_error("statehouse-server does not listen:\n" + said);
    std::from_chars(said.data() + at + before.size(), said.data() + said.size(), port_);
  }

  void wait_until_ready() {
    std::string line;
    while (!line.ends_with('\n'))
      if (!read_output(line)) throw std::runtime_error("statehouse-server did not start:\n" + line + log());
    const std::size_t digits = line.rfind(':') + 1;
    std::from_chars(line.data() + digits, line.data() + line.size(), port_);
  }

  const testing::TempDir directory_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  int output_ = -1;
  unsigned short port_ = 0;
  std::optional<int> exit_code_;
};

}  // namespace statehouse::test
