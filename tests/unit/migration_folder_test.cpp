#include "statehouse/migration_folder.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "child_process.hpp"
#include "files.hpp"
#include "statehouse/error.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/testing/temp_dir.hpp"

using namespace statehouse;
using namespace std::string_view_literals;

namespace {

class Folder {
 public:
  Folder& with(std::string_view name, std::string_view content) {
    test::write_file(dir_ / std::filesystem::path(name), content);
    return *this;
  }
  const std::filesystem::path& path() const { return dir_.path(); }

 private:
  testing::TempDir dir_;
};

/// "error 2_b.sql:3", without the folder.
std::vector<std::string> places(const Folder& folder) {
  std::vector<std::string> result;
  for (const auto& problem : verify_folder(folder.path())) {
    INFO(problem.message);
    CHECK(problem.message.find(std::filesystem::path(problem.file).filename().string()) != std::string::npos);
    result.push_back((problem.severity == problem_severity::error ? "error " : "warning ") +
                     std::filesystem::path(problem.file).filename().string() +
                     (problem.line > 0 ? ":" + std::to_string(problem.line) : ""));
  }
  return result;
}

using Places = std::vector<std::string>;

}  // namespace

TEST_CASE("verify: a folder in order has no problems") {
  Folder folder;
  folder.with("1_a.up.sql", "CREATE TABLE a(x);\n")
      .with("1_a.down.sql", "DROP TABLE a;\n")
      .with("2_b.sql", "-- no-transaction\nVACUUM;\nBEGIN; COMMIT;\n")
      .with("3_c.sql", "SELECT 1;\n")
      .with("README.md", "not\r\nread\0\xFF"sv);
  std::filesystem::create_directory(folder.path() / "4_d.sql");
  CHECK(places(folder).empty());
}

TEST_CASE("verify: every problem of a folder is found at once, with file and line") {
  Folder folder;
  folder.with("1_a.sql", "SELECT 1;\n\nCOMMIT;\n")
      .with("2_b.sql", "SELECT 1;\n\0SELECT 2;\n"sv)
      .with("2_again.sql", "SELECT 1;")
      .with("3_c.sql", "SELECT 1;\n-- caf\xE9\n")
      .with("4_d.up.sql", "SELECT 1;")
      .with("5_e.down.sql", "SELECT 1;")
      .with("6_f.sql", "SELECT 1;\r\nSELECT 2;\r\nSELECT 3;\n")
      .with("7_g.sql", "SELECT 1;\r\nSELECT 2;\r\n")
      .with("8_h.sql", "\xEF\xBB\xBFSELECT 1;\n")
      .with("9_i.sql", "--no-transaction\nVACUUM;\n")
      .with("schema.sql", "")
      .with("A_b.SQL", "")
      .with("x_y.sql", "");
  std::filesystem::create_symlink("nowhere", folder.path() / "z.sql");
  CHECK(places(folder) == Places{"error 1_a.sql:3", "error 2_b.sql", "error 2_b.sql:2", "error 3_c.sql:2",
                                 "warning 4_d.up.sql", "warning 5_e.down.sql", "warning 6_f.sql:3", "warning 7_g.sql",
                                 "warning 8_h.sql:1", "warning 9_i.sql:1", "warning A_b.SQL", "warning schema.sql",
                                 "error x_y.sql", "error z.sql"});
}

TEST_CASE("verify: one file may have several problems") {
  Folder folder;
  folder.with("1_a.up.sql", "\xEF\xBB\xBFSELECT 1;\r\nSELECT 2;\nROLLBACK;");
  CHECK(places(folder) ==
        Places{"warning 1_a.up.sql", "warning 1_a.up.sql:1", "warning 1_a.up.sql:2", "error 1_a.up.sql:3"});
}

TEST_CASE("verify: what it calls an error of reading is one for from_directory, in the same words") {
  for (const auto& [name, content] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"x_a.sql", "SELECT 1;"}, {"1_b.sql", "SELECT 1;"}, {"2_n.sql", "SELECT 1;\0;"sv}, {"2_u.sql", "\xFF"}}) {
    Folder folder;
    folder.with("1_a.sql", "SELECT 1;").with(name, content);
    const auto problems = verify_folder(folder.path());
    REQUIRE(problems.size() == 1);
    try {
      Migrator::from_directory(folder.path());
      FAIL("no error for " << name);
    } catch (const MigrationError& error) {
      CHECK(problems[0].message == error.what());
      CHECK(problems[0].version == error.version());
    }
  }
}

TEST_CASE("verify: a folder that is none is one problem, which names it") {
  const testing::TempDir dir;
  const auto problems = verify_folder(dir / "nosuch");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == problem_severity::error);
  CHECK(problems[0].file == (dir / "nosuch").string());
}

TEST_CASE("verify: a file that may not be read is named, and the others are looked at all the same") {
  Folder folder;
  folder.with("1_a.sql", "SELECT 1;").with("2_b.sql", "COMMIT;");
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(folder.path() / "1_a.sql", std::filesystem::perms::none);
  const std::string text = test::as_nobody([&] {
    std::string all;
    for (const auto& problem : verify_folder(folder.path())) all += problem.message + "\n";
    return all;
  });
  CHECK(text.find("1_a.sql': Permission denied") != std::string::npos);
  CHECK(text.find("2_b.sql:1)") != std::string::npos);
}
