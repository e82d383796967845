#include "cluster/files_reader.hpp"

#include <sqlite3.h>

#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "error_of.hpp"

namespace statehouse::test {
namespace {

using detail::wire::FilesReader;

std::string number_word(std::uint64_t value) {
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string name_words(std::string name) {
  name.resize((name.size() + 8) / 8 * 8);
  return name;
}

std::string one_file(const std::string& name, const std::string& content) {
  return name_words(name) + number_word(content.size()) + content;
}

using Files = std::vector<std::pair<std::string, std::string>>;

/// The files of a body that comes in pieces of `size`.
Files read_in_pieces(const std::string& body, std::size_t size) {
  Files files;
  FilesReader reader(body.size(), [&](std::string_view name, std::string_view bytes) {
    if (files.empty() || files.back().first != name) files.emplace_back(name, "");
    files.back().second += bytes;
  });
  for (std::size_t at = 0; at < body.size(); at += size) reader.feed(std::string_view(body).substr(at, size));
  CHECK(reader.left() == 0);
  return files;
}

auto code_of_body(const std::string& body) {
  return code_of([&] { read_in_pieces(body, body.size()); });
}

const auto no_protocol = make_sqlite_error(SQLITE_PROTOCOL);

TEST_CASE("files: those of a database come whole, in whatever pieces the network brings them") {
  const std::string pages(8192, 'p');
  const std::string long_name(70, 'n');
  const Files expected{{"a.db", pages}, {"a.db-wal", ""}, {long_name, "12345678"}};
  std::string body = number_word(expected.size());
  for (const auto& [name, content] : expected) body += one_file(name, content);
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{4096}, body.size()})
    CHECK(read_in_pieces(body, size) == expected);
  CHECK(read_in_pieces(number_word(0), 8).empty());
}

TEST_CASE("files: a size, a number or a name that cannot be is refused before anything is given out") {
  CHECK(code_of_body(number_word(1) + name_words("a") + number_word(~std::uint64_t{0} - 7)) == no_protocol);
  CHECK(code_of_body(number_word(1) + name_words("a") + number_word(16) + "12345678") == no_protocol);
  CHECK(code_of_body(number_word(1) + name_words("a") + number_word(7) + "12345678") == no_protocol);
  CHECK(code_of_body(number_word(~std::uint64_t{0}) + one_file("a", "")) == no_protocol);
  CHECK(code_of_body(number_word(1) + std::string(4096, 'n')) == no_protocol);
  CHECK(code_of_body(number_word(1) + one_file("a", "") + number_word(0)) == no_protocol);
  CHECK(code_of_body("") == no_protocol);
}

TEST_CASE("files: a body that is longer than its header says is refused") {
  FilesReader reader(8, [](std::string_view, std::string_view) {});
  CHECK(code_of([&] { reader.feed(std::string(9, '\0')); }) == no_protocol);
}

}  // namespace
}  // namespace statehouse::test
